package release

import (
	"fmt"
	"regexp"
	"strings"
)

// refusal is why EC2 did not launch a server, in words for people.
type refusal struct {
	words string
	hint  string // what to do, when there is something
}

func (r *refusal) hints() []string {
	if r.hint == "" {
		return nil
	}
	return []string{r.hint}
}

// refusals are EC2's messages that have a better wording. What they name is put in.
var refusals = []struct {
	message *regexp.Regexp
	words   string
	hint    string
}{
	{
		regexp.MustCompile(`do not have sufficient (\S+) capacity in the Availability Zone you requested \((\S+?)\)`),
		"AWS has no %s servers left in %s",
		"release again later, or choose another type of server for the role (instance), or more zones",
	},
	{
		regexp.MustCompile(`(?i)(?:no |in|not have )sufficient .*capacity`),
		"AWS has no servers of this type left",
		"release again later, or choose another type of server for the role (instance), or more zones",
	},
	{
		regexp.MustCompile(`more vCPU capacity than your current vCPU limit of (\d+)`),
		"the account may have %s virtual processors of this kind, and they are in use",
		"ask for a higher quota in Service Quotas, Amazon EC2; during a release old and new servers run side by side",
	},
	{
		regexp.MustCompile(`You have requested more (?:spot )?instances \(\d+\) than your current instance limit of (\d+)`),
		"the account may have %s servers of this type, and they are in use",
		"ask for a higher quota in Service Quotas, Amazon EC2; during a release old and new servers run side by side",
	},
	{
		regexp.MustCompile(`(?i)not (?:have )?enough free addresses in subnet '?([a-z0-9-]+)'?`),
		"subnet %s has no free addresses",
		"use larger subnets, or more of them; during a release old and new servers run side by side",
	},
	{regexp.MustCompile(`subnet ID '([a-z0-9-]+)' does not exist`), "subnet %s is not there", "check network in the environment file and the base stack"},
	{regexp.MustCompile(`security group '([a-z0-9-]+)' does not exist`), "security group %s is not there", "check the base stack"},
	{regexp.MustCompile(`image id '\[?([a-z0-9-]+)\]?' does not exist`), "image %s is not there any more", "bake the commit again"},
	{
		regexp.MustCompile(`Value \(([^)]*)\) for parameter iamInstanceProfile\.\w+ is invalid`),
		"the instance profile %s is not there",
		"check instance_profile in the environment file; one that was made a moment ago needs a minute to be known everywhere",
	},
	{
		regexp.MustCompile(`requested instance type \((\S+)\) is not supported in your requested Availability Zone \((\S+?)\)`),
		"there are no %s servers in %s",
		"choose another type of server for the role (instance), or subnets in other zones",
	},
	{
		regexp.MustCompile(`Client\.InternalError: Client error on launch`),
		"the server's disk cannot be read: it is encrypted with a key that Auto Scaling may not use",
		"let the role AWSServiceRoleForAutoScaling use the key of the image's snapshot",
	},
}

// refusalOf puts the message of a failed scaling activity into words. A message that is
// not known stays as it is.
func refusalOf(message string) refusal {
	message = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(message), "Launching EC2 instance failed."))
	for _, known := range refusals {
		if m := known.message.FindStringSubmatch(message); m != nil {
			var named []any
			for _, name := range m[1:] {
				named = append(named, name)
			}
			return refusal{words: fmt.Sprintf(known.words, named...), hint: known.hint}
		}
	}
	if message == "" {
		message = "AWS does not say why"
	}
	return refusal{words: strings.TrimSuffix(message, ".")}
}
