package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/procfile"
)

// identity is who the server is: what it was started as, and what it was
// started from.
type identity struct {
	instance  string
	address   string
	userData  contract.UserData
	place     *contract.Place // nil: logs stay on the server
	image     contract.Image
	processes []procfile.Process
}

// identify reads all of it. Whether the parts fit is asked later, when a
// refusal can be reported.
func (a *agent) identify(ctx context.Context) error {
	for _, item := range []struct {
		name string
		into *string
	}{{"instance-id", &a.instance}, {"local-ipv4", &a.address}} {
		out, err := a.Metadata.GetMetadata(ctx, &imds.GetMetadataInput{Path: item.name})
		if err == nil {
			*item.into, err = text(out.Content)
		}
		if err != nil {
			return fmt.Errorf("the metadata service does not give %s: %w", item.name, err)
		}
	}
	data, err := a.readUserData(ctx)
	if err != nil {
		return err
	}
	if a.userData, err = contract.ParseUserData([]byte(data)); err != nil {
		return fmt.Errorf("%w; it must be the JSON that deploy-env and test-env write: deploy the environment again", err)
	}
	if a.userData.Logs != "" {
		place, err := contract.ParsePlace(a.userData.Logs)
		if err != nil {
			return fmt.Errorf("user data: logs: %w", err)
		}
		a.place = &place
	}
	return nil
}

func (a *agent) readUserData(ctx context.Context) (string, error) {
	out, err := a.Metadata.GetUserData(ctx, &imds.GetUserDataInput{})
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotFound {
		return "", errors.New("this server has no user data: images made by ami-bake are started by deploy-env or test-env")
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the user data: %w", err)
	}
	return text(out.Content)
}

// fits reads the image and refuses a server that this image cannot be.
func (a *agent) fits() error {
	u := a.userData
	if u.Contract > contract.Version {
		return fmt.Errorf("the user data follows contract %d, this image knows %d: bake a new image of the commit, then deploy it", u.Contract, contract.Version)
	}
	data, err := os.ReadFile(a.path(contract.ImageFile))
	if err == nil {
		a.image, err = contract.ParseImage(data)
	}
	if err != nil {
		return fmt.Errorf("this is no image made by ami-bake: %w", err)
	}
	if (u.Signal || u.Singleton || u.Hook != "") && (u.Stack == "" || u.Resource == "") {
		return errors.New("user data: signal, singleton and hook need stack and resource: deploy the environment again")
	}
	if u.Application != a.image.Application {
		return fmt.Errorf("the image is of the application %s, the server should run %s", a.image.Application, u.Application)
	}
	f, err := os.Open(a.path(filepath.Join(contract.AppRoot, "Procfile")))
	if err != nil {
		return fmt.Errorf("cannot read the Procfile: %w", err)
	}
	defer f.Close()
	a.processes, err = procfile.Parse("Procfile", f)
	return err
}

// types are the process types that this server runs.
func (a *agent) types() ([]string, error) {
	u, known := a.userData, procfile.Types(a.processes)
	switch {
	case u.Release:
		if !slices.Contains(known, contract.ReleaseProcess) {
			return nil, nil
		}
		return []string{contract.ReleaseProcess}, nil
	case len(u.Processes) == 0 && u.Role == contract.RoleAll:
		return slices.DeleteFunc(known, func(t string) bool { return t == contract.ReleaseProcess }), nil
	}
	wanted := []string{u.Role}
	if len(u.Processes) > 0 {
		wanted = u.Processes
	}
	for i, t := range wanted {
		if slices.Contains(wanted[:i], t) {
			return nil, fmt.Errorf("the role %s names the process type %s twice", u.Role, t)
		}
		if !slices.Contains(known, t) {
			return nil, fmt.Errorf("the role %s runs the process type %s, which the Procfile of commit %s does not have (it has %s)",
				u.Role, t, a.commit(), strings.Join(known, ", "))
		}
	}
	return wanted, nil
}

// commit is what the server runs. An image answers for every commit with the
// same sources, so the user data knows better than the image, if it says it.
func (a *agent) commit() string {
	if a.userData.Commit != "" {
		return a.userData.Commit
	}
	return a.image.Commit
}

// path is a place of the contract on this server's disk.
func (a *agent) path(name string) string { return filepath.Join(a.Root, name) }

// text reads an answer of the metadata service; user data is at most 16 KB.
func text(body io.ReadCloser) (string, error) {
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, 64<<10))
	return strings.TrimSpace(string(data)), err
}
