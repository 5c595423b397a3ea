// Package secrets plays AWS Secrets Manager: secrets that templates make with
// a generated value, read by servers and by dynamic references of templates.
package secrets

import (
	"context"
	"slices"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Service is Secrets Manager of one account.
type Service struct {
	world *world.World

	mu      sync.Mutex
	secrets map[string]*secret // by ARN
}

// secret has at least one version; the newest is the current one.
type secret struct {
	arn, name, description string
	tags                   world.Tags
	versions               []version
}

type version struct {
	id, value string
	at        time.Time
}

// The labels of the newest version and of the one before it.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// New makes the service, without secrets.
func New(w *world.World) *Service {
	return &Service{world: w, secrets: map[string]*secret{}}
}

// Wire is the service as the router takes it.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:     "secretsmanager",
		Protocol: operation.JSON,
		Version:  "secretsmanager",
		Actions:  map[string]wire.Action{"GetSecretValue": wire.JSON(s.getValue)},
	}
}

// Put stores a new value of a secret, which it makes if there is none of that
// name, and gives the secret's ARN.
func (s *Service) Put(name, value string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, _ := s.find(name)
	if x == nil {
		x = s.add(name)
	}
	s.set(x, value)
	return x.arn
}

// add makes a secret without a value. The lock is held.
func (s *Service) add(name string) *secret {
	x := &secret{name: name, arn: s.world.ARN("secretsmanager", "secret:"+name+"-"+s.world.Key("secret suffix", 6))}
	s.secrets[x.arn] = x
	return x
}

func (s *Service) set(x *secret, value string) {
	x.versions = append(x.versions, version{s.world.UUID("secret version"), value, time.Now()})
}

// find finds a secret by name or ARN. The lock is held.
func (s *Service) find(id string) (*secret, *wire.Error) {
	if x := s.secrets[id]; x != nil {
		return x, nil
	}
	for _, x := range s.secrets {
		if x.name == id {
			return x, nil
		}
	}
	return nil, wire.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// labels are the labels of a version.
func (x *secret) labels(n int) []string {
	switch n {
	case len(x.versions) - 1:
		return []string{current}
	case len(x.versions) - 2:
		return []string{previous}
	}
	return nil
}

// pick finds a version by label and id, of which both may be empty; the
// current one when both are.
func (x *secret) pick(label, id string) (int, *wire.Error) {
	if label == "" && id == "" {
		label = current
	}
	for n, v := range x.versions {
		if (id == "" || v.id == id) && (label == "" || slices.Contains(x.labels(n), label)) {
			return n, nil
		}
	}
	if id != "" {
		return 0, wire.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	return 0, wire.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", label)
}

// getInput has a field for every parameter that is understood.
type getInput struct{ SecretId, VersionId, VersionStage string }

type getOutput struct {
	ARN           string   `json:"ARN"`
	CreatedDate   float64  `json:"CreatedDate"`
	Name          string   `json:"Name"`
	SecretString  string   `json:"SecretString"`
	VersionID     string   `json:"VersionId"`
	VersionStages []string `json:"VersionStages"`
}

func (s *Service) getValue(_ context.Context, _ *wire.Call, in getInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, failure := s.find(in.SecretId)
	if failure != nil {
		return nil, failure
	}
	n, failure := x.pick(in.VersionStage, in.VersionId)
	if failure != nil {
		return nil, failure
	}
	v := x.versions[n]
	return getOutput{x.arn, wire.Epoch(v.at), x.name, v.value, v.id, x.labels(n)}, nil
}

// Value is the current value of a secret, by name or ARN.
func (s *Service) Value(id string) (value string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, failure := s.find(id)
	if failure != nil {
		return "", false
	}
	return x.versions[len(x.versions)-1].value, true
}
