package bake_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud"
)

// album is a lab with images whose making is not of interest.
type album struct {
	*lab
	ec2    *ec2.Client
	s3     *s3.Client
	cfn    *cloudformation.Client
	server string // that they are made of
	books  map[string]*ledger.Ledger
}

func newAlbum(l *lab) *album {
	l.t.Helper()
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://cloud.local"), HTTPClient: &http.Client{Transport: l.cloud.Transport()},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALAB0000000000000", "a-secret-of-the-lab", ""),
	}
	a := &album{
		lab: l, ec2: ec2.NewFromConfig(config), cfn: cloudformation.NewFromConfig(config),
		s3: s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true }), books: map[string]*ledger.Ledger{},
	}
	l.silent = true
	a.server = a.launch(l.cloud.Parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"))
	return a
}

// launch starts a server, which powers itself off.
func (a *album) launch(id string) string {
	a.t.Helper()
	subnet := a.cloud.Parameter(localcloud.SubnetParameter)
	ran, err := a.ec2.RunInstances(a.t.Context(), &ec2.RunInstancesInput{
		ImageId: &id, InstanceType: types.InstanceTypeT3Small, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.wait(time.Minute)
	a.show()
	return *ran.Instances[0].InstanceId
}

func (a *album) terminate(id string) {
	a.t.Helper()
	if _, err := a.ec2.TerminateInstances(a.t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		a.t.Fatal(err)
	}
	a.wait(time.Minute)
}

// show looks at everything often enough that EC2 shows what is new.
func (a *album) show() {
	a.t.Helper()
	for range quick.HiddenReads + 1 {
		_, err := a.ec2.DescribeInstances(a.t.Context(), &ec2.DescribeInstancesInput{})
		if err == nil {
			_, err = a.ec2.DescribeSnapshots(a.t.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
		}
		if err == nil {
			_, err = a.ec2.DescribeImages(a.t.Context(), &ec2.DescribeImagesInput{Owners: []string{"self"}})
		}
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

func (a *album) wait(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // simulated

// add makes an image as a bake leaves it, and returns its id.
func (a *album) add(commit string) string {
	a.t.Helper()
	return a.addTo("shop", commit)
}

func (a *album) addTo(application, commit string) string {
	a.t.Helper()
	tags := image.Tags(map[string]string{image.TagApplication: application, image.TagCommit: commit, image.TagInputs: "inputs-" + commit})
	made, err := a.ec2.CreateImage(a.t.Context(), &ec2.CreateImageInput{
		InstanceId: &a.server, Name: aws.String(application + "-" + commit),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeImage, Tags: tags}, {ResourceType: types.ResourceTypeSnapshot, Tags: tags}},
	})
	if err != nil {
		a.t.Fatal(err)
	}
	r := image.Record{Application: application, Commit: commit, Image: *made.ImageId, Inputs: "inputs-" + commit, Created: time.Now()}
	index := image.Index{API: a.s3, Bucket: a.cloud.Bucket()}
	again := r
	again.Commit += "-again" // whose tree is the same
	for _, r := range []image.Record{r, again} {
		if err := index.WriteCommit(a.t.Context(), r); err != nil {
			a.t.Fatal(err)
		}
	}
	if err := index.WriteInputs(a.t.Context(), r); err != nil {
		a.t.Fatal(err)
	}
	a.wait(time.Minute)
	a.show()
	return *made.ImageId
}

// book is the ledger of an environment.
func (a *album) book(environment string) *ledger.Ledger {
	if a.books[environment] == nil {
		a.books[environment] = &ledger.Ledger{API: a.s3, Bucket: a.cloud.Bucket(), Application: "shop", Environment: environment}
	}
	return a.books[environment]
}

// release writes a release into a ledger; without an outcome, its start only.
func (a *album) release(environment, commit, id string, outcome ledger.Outcome) {
	a.t.Helper()
	start, err := a.book(environment).Start(a.t.Context(), ledger.Record{
		Commit: commit, Image: ledger.Image{ID: id}, Why: ledger.WhyDeploy, Settings: "none", Template: ledger.Unknown,
	})
	if err == nil && outcome != "" {
		_, err = a.book(environment).End(a.t.Context(), start, ledger.Record{Outcome: outcome})
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.wait(time.Hour)
}

// group makes an Auto Scaling group without servers that would start them from an image.
func (a *album) group(id string) {
	a.t.Helper()
	template := fmt.Sprintf(`{"Resources":{
"Template":{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"ImageId":%q,"InstanceType":"t3.small"}}},
"Group":{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MinSize":"0","MaxSize":"1","DesiredCapacity":"0",
"VPCZoneIdentifier":[%q],"LaunchTemplate":{"LaunchTemplateId":{"Ref":"Template"},"Version":{"Fn::GetAtt":["Template","LatestVersionNumber"]}}}}}}`,
		id, a.cloud.Parameter(localcloud.SubnetParameter))
	made, err := a.cfn.CreateChangeSet(a.t.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("theirs"), ChangeSetName: aws.String("first"), ChangeSetType: "CREATE", TemplateBody: &template,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	a.wait(time.Minute)
	if _, err := a.cfn.ExecuteChangeSet(a.t.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: made.Id}); err != nil {
		a.t.Fatal(err)
	}
	a.wait(time.Minute)
}

// there are the application's images, by the beginning of their names.
func (a *album) there() []string {
	var names []string
	for _, img := range a.cloud.Images() {
		if name, ours := strings.CutPrefix(img.Name, "shop-"); ours {
			names = append(names, name)
		}
	}
	return names
}

// checkWhole makes sure that an image has its snapshot and its index, or none of it.
func (a *album) checkWhole(commits ...string) {
	a.t.Helper()
	objects := a.cloud.Objects(a.cloud.Bucket())
	for _, commit := range commits {
		n := 0
		for _, img := range a.cloud.Images() {
			if img.Name == "shop-"+commit {
				n++
			}
		}
		for _, s := range a.cloud.Snapshots() {
			if s.Tags[image.TagCommit] == commit {
				n++
			}
		}
		for _, key := range []string{commit + ".json", commit + "-again.json", "inputs/inputs-" + commit + ".json"} {
			if _, there := objects["images/shop/"+key]; there {
				n++
			}
		}
		if n != 0 && n != 5 {
			a.t.Errorf("%d of the 5 parts of image %s are left", n, commit)
		}
	}
}
