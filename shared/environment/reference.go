package environment

import (
	"regexp"
	"slices"
	"strings"
)

// Reference names something that exists already: by its id, by ssm:/path (a
// parameter that holds the id), or by stack:name/Output. CloudFormation reads
// the Parameter Store itself at every update, so a new value is seen as a
// change; an output of a stack is looked up by the caller (Template.Resolve),
// because Fn::ImportValue would need an export that most stacks do not have,
// and would forbid its owner to change it.
type Reference struct {
	Text string
	at   place
}

// Parameter is the path of ssm:/path.
func (r Reference) Parameter() (path string, ok bool) { return strings.CutPrefix(r.Text, "ssm:") }

// Output is the stack and the name of stack:name/Output.
func (r Reference) Output() (stack, output string, ok bool) {
	rest, ok := strings.CutPrefix(r.Text, "stack:")
	stack, output, _ = strings.Cut(rest, "/")
	return stack, output, ok
}

// noun is a kind of thing that can be referred to.
type noun struct {
	form    *regexp.Regexp
	example string
}

var (
	vpcID           = noun{regexp.MustCompile(`^vpc-[0-9a-f]{8,17}$`), "vpc-0123456789abcdef0"}
	subnetID        = noun{regexp.MustCompile(`^subnet-[0-9a-f]{8,17}$`), "subnet-0123456789abcdef0"}
	securityGroupID = noun{regexp.MustCompile(`^sg-[0-9a-f]{8,17}$`), "sg-0123456789abcdef0"}
	listenerARN     = noun{regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:listener/app/\S+$`), "arn:aws:elasticloadbalancing:…:listener/app/…"}
	certificateARN  = noun{regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]+$`), "arn:aws:acm:…:certificate/…"}
	profileARN      = noun{regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:instance-profile/\S+$`), "arn:aws:iam::…:instance-profile/…"}

	ssmForm   = regexp.MustCompile(`^ssm:(/[A-Za-z0-9_.-]+)+$`)
	stackForm = regexp.MustCompile(`^stack:[A-Za-z][A-Za-z0-9-]*/[A-Za-z0-9]+$`)
)

// reference reads an id or one of its stand-ins.
func (v value) reference(n noun) (Reference, bool) {
	s, ok := v.text()
	if !ok {
		return Reference{}, false
	}
	if !n.form.MatchString(s) && !ssmForm.MatchString(s) && !stackForm.MatchString(s) {
		v.problemf("%q is neither like %s nor ssm:/path or stack:name/Output", short(s), n.example)
		return Reference{}, false
	}
	return Reference{Text: s, at: v.at}, true
}

// reference is a key that must be there.
func (t table) reference(key string, n noun) Reference {
	v, ok := t.get(key)
	if !ok {
		t.problemf("%s is missing", key)
		return Reference{}
	}
	r, _ := v.reference(n)
	return r
}

// references is a list of ids and their stand-ins, each of which may turn out
// to be a list itself. A lone one is a list too: ssm:/network/subnets.
func (t table) references(key string, n noun) []Reference {
	v, ok := t.get(key)
	if !ok {
		return nil
	}
	items := []value{v}
	if !v.scalar() {
		items = v.list(10)
	}
	var all []Reference
	for _, item := range items {
		r, ok := item.reference(n)
		if !ok {
			continue
		}
		if slices.ContainsFunc(all, func(o Reference) bool { return o.Text == r.Text }) {
			item.problemf("%s is there twice", short(r.Text))
			continue
		}
		all = append(all, r)
	}
	return all
}

// known reports whether all of them are ids, so that they can be counted.
func known(all []Reference) bool {
	return !slices.ContainsFunc(all, func(r Reference) bool {
		return strings.HasPrefix(r.Text, "ssm:") || strings.HasPrefix(r.Text, "stack:")
	})
}
