package bake_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/lab"
	"bitbucket.org/fearless/pipes/shared/ledger"
	"bitbucket.org/fearless/pipes/shared/localcloud"
)

// album is an account with images whose making is not of interest.
type album struct {
	*place
	api    lab.Clients
	server string // that they are made of
	books  map[string]*ledger.Ledger
}

func newAlbum(l *place) *album {
	l.T.Helper()
	a := &album{place: l, api: l.Reach(), books: map[string]*ledger.Ledger{}}
	l.silent = true
	a.server = a.launch(l.Cloud.Parameter("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"))
	return a
}

// launch starts a server, which powers itself off.
func (a *album) launch(id string) string {
	a.T.Helper()
	subnet := a.Cloud.Parameter(localcloud.SubnetParameter)
	ran, err := a.api.EC2.RunInstances(a.T.Context(), &ec2.RunInstancesInput{
		ImageId: &id, InstanceType: types.InstanceTypeT3Small, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: &subnet,
	})
	if err != nil {
		a.T.Fatal(err)
	}
	a.wait(time.Minute)
	a.show()
	return *ran.Instances[0].InstanceId
}

func (a *album) terminate(id string) {
	a.T.Helper()
	if _, err := a.api.EC2.TerminateInstances(a.T.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
		a.T.Fatal(err)
	}
	a.wait(time.Minute)
}

// show looks at everything often enough that EC2 shows what is new.
func (a *album) show() {
	a.T.Helper()
	for range quick.HiddenReads + 1 {
		_, err := a.api.EC2.DescribeInstances(a.T.Context(), &ec2.DescribeInstancesInput{})
		if err == nil {
			_, err = a.api.EC2.DescribeSnapshots(a.T.Context(), &ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}})
		}
		if err == nil {
			_, err = a.api.EC2.DescribeImages(a.T.Context(), &ec2.DescribeImagesInput{Owners: []string{"self"}})
		}
		if err != nil {
			a.T.Fatal(err)
		}
	}
}

func (a *album) wait(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // simulated

// add makes an image as a bake leaves it, and returns its id.
func (a *album) add(commit string) string {
	a.T.Helper()
	return a.addTo("shop", commit)
}

func (a *album) addTo(application, commit string) string {
	a.T.Helper()
	tags := image.Tags(map[string]string{image.TagApplication: application, image.TagCommit: commit, image.TagInputs: "inputs-" + commit})
	made, err := a.api.EC2.CreateImage(a.T.Context(), &ec2.CreateImageInput{
		InstanceId: &a.server, Name: aws.String(application + "-" + commit),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeImage, Tags: tags}, {ResourceType: types.ResourceTypeSnapshot, Tags: tags}},
	})
	if err != nil {
		a.T.Fatal(err)
	}
	r := image.Record{Application: application, Commit: commit, Image: *made.ImageId, Inputs: "inputs-" + commit, Created: time.Now()}
	index := image.Index{API: a.api.S3, Bucket: a.Cloud.Bucket()}
	again := r
	again.Commit += "-again" // whose tree is the same
	for _, r := range []image.Record{r, again} {
		if err := index.WriteCommit(a.T.Context(), r); err != nil {
			a.T.Fatal(err)
		}
	}
	if err := index.WriteInputs(a.T.Context(), r); err != nil {
		a.T.Fatal(err)
	}
	a.wait(time.Minute)
	a.show()
	return *made.ImageId
}

// book is the ledger of an environment.
func (a *album) book(environment string) *ledger.Ledger {
	if a.books[environment] == nil {
		a.books[environment] = &ledger.Ledger{API: a.api.S3, Bucket: a.Cloud.Bucket(), Application: "shop", Environment: environment}
	}
	return a.books[environment]
}

// release writes a release into a ledger; without an outcome, its start only.
func (a *album) release(environment, commit, id string, outcome ledger.Outcome) {
	a.T.Helper()
	start, err := a.book(environment).Start(a.T.Context(), ledger.Record{
		Commit: commit, Image: ledger.Image{ID: id}, Why: ledger.WhyDeploy, Settings: "none", Template: ledger.Unknown,
	})
	if err == nil && outcome != "" {
		_, err = a.book(environment).End(a.T.Context(), start, ledger.Record{Outcome: outcome})
	}
	if err != nil {
		a.T.Fatal(err)
	}
	a.wait(time.Hour)
}

// group makes an Auto Scaling group without servers that would start them from an image.
func (a *album) group(id string) {
	a.T.Helper()
	template := fmt.Sprintf(`{"Resources":{
"Template":{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"ImageId":%q,"InstanceType":"t3.small"}}},
"Group":{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MinSize":"0","MaxSize":"1","DesiredCapacity":"0",
"VPCZoneIdentifier":[%q],"LaunchTemplate":{"LaunchTemplateId":{"Ref":"Template"},"Version":{"Fn::GetAtt":["Template","LatestVersionNumber"]}}}}}}`,
		id, a.Cloud.Parameter(localcloud.SubnetParameter))
	made, err := a.api.CFN.CreateChangeSet(a.T.Context(), &cloudformation.CreateChangeSetInput{
		StackName: aws.String("theirs"), ChangeSetName: aws.String("first"), ChangeSetType: "CREATE", TemplateBody: &template,
	})
	if err != nil {
		a.T.Fatal(err)
	}
	a.wait(time.Minute)
	if _, err := a.api.CFN.ExecuteChangeSet(a.T.Context(), &cloudformation.ExecuteChangeSetInput{ChangeSetName: made.Id}); err != nil {
		a.T.Fatal(err)
	}
	a.wait(time.Minute)
}

// there are the application's images, by the beginning of their names.
func (a *album) there() []string {
	var names []string
	for _, img := range a.Cloud.Images() {
		if name, ours := strings.CutPrefix(img.Name, "shop-"); ours {
			names = append(names, name)
		}
	}
	return names
}

// checkWhole makes sure that an image has its snapshot and its index, or none of it.
func (a *album) checkWhole(commits ...string) {
	a.T.Helper()
	objects := a.Cloud.Objects(a.Cloud.Bucket())
	for _, commit := range commits {
		n := 0
		for _, img := range a.Cloud.Images() {
			if img.Name == "shop-"+commit {
				n++
			}
		}
		for _, s := range a.Cloud.Snapshots() {
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
			a.T.Errorf("%d of the 5 parts of image %s are left", n, commit)
		}
	}
}
