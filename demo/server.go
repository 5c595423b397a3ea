package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/localcloud/stage"
)

// patience is how long a server may take from launch to its first answer.
const patience = time.Minute

// start launches a server of the image in the role web and waits for its version. In
// a later chapter of the demo this is deploy-env's work.
func start(ctx context.Context, s *stage.Stage, r *release) error {
	began := time.Now()
	data, err := contract.UserData{
		Contract: contract.Version, Application: application, Environment: "demo", Role: "web", Processes: []string{"web"},
		HealthPath: "/health", Drain: 5, Region: "us-east-1",
	}.Marshal()
	if err != nil {
		return err
	}
	api := ec2.New(ec2.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: keys})
	kind := types.InstanceTypeT3Small
	if stage.Architecture() == "arm64" {
		kind = types.InstanceTypeT4gSmall
	}
	subnet, err := network(ctx, s)
	if err != nil {
		return err
	}
	out, err := api.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &r.image, InstanceType: kind, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
		UserData: aws.String(base64.StdEncoding.EncodeToString(data)),
	})
	if err != nil {
		return fmt.Errorf("a server of image %s cannot be launched: %w", r.image, err)
	}
	r.server = aws.ToString(out.Instances[0].InstanceId)
	r.address = aws.ToString(out.Instances[0].PrivateIpAddress) + ":8000"
	if r.answer, err = ask(ctx, "http://"+r.address+"/version"); err != nil {
		return fmt.Errorf("server %s of image %s: %w%s", r.server, r.image, err, console(ctx, api, r.server))
	}
	r.booted = time.Since(began)
	return nil
}

// keys open the local cloud, as any other keys would.
var keys = credentials.NewStaticCredentialsProvider("AKIALOCALCLOUD000000", "local-cloud-secret", "")

// network is the subnet that account.yml makes, as far as the local cloud is concerned.
func network(ctx context.Context, s *stage.Stage) (string, error) {
	api := ssm.New(ssm.Options{Region: "us-east-1", BaseEndpoint: &s.URL, Credentials: keys})
	out, err := api.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/fearless/bake/subnet")})
	if err != nil {
		return "", fmt.Errorf("there is no subnet to launch in: %w", err)
	}
	return aws.ToString(out.Parameter.Value), nil
}

// ask waits for an answer with status 200.
func ask(ctx context.Context, url string) (string, error) { return askFor(ctx, url, "") }

// askFor waits for an answer to a host name, "" for that of the URL.
func askFor(ctx context.Context, url, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		answer, err := get(ctx, url, host)
		if err == nil {
			return answer, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no answer within %s: %w", patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func get(ctx context.Context, url, host string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if host != "" {
		request.Host = host
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", url, response.Status)
	}
	return strings.TrimSpace(string(body)), nil
}

// console is what a server wrote to its console, for an error message.
func console(ctx context.Context, api *ec2.Client, id string) string {
	out, err := api.GetConsoleOutput(ctx, &ec2.GetConsoleOutputInput{InstanceId: &id})
	if err != nil {
		return ""
	}
	text, err := base64.StdEncoding.DecodeString(aws.ToString(out.Output))
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\nits console:\n" + string(text)
}
