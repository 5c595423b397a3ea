// Package ssm plays Parameter Store of AWS Systems Manager.
package ssm

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/operation"
	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Service is Parameter Store of one account.
type Service struct {
	world *world.World

	mu     sync.Mutex
	stored map[string][]version // oldest first
	made   int64
	order  map[string]int64 // ordinals, by which lists are ordered and paged
}

// version is one value that a parameter had; the first is number 1.
type version struct {
	value, kind string
	at          time.Time
}

// The kinds of parameters. A list is text with commas.
const (
	plain  = "String"
	list   = "StringList"
	secure = "SecureString"
)

// New makes the service, without parameters.
func New(w *world.World) *Service {
	return &Service{world: w, stored: map[string][]version{}, order: map[string]int64{}}
}

// Wire is the service as the router takes it.
func (s *Service) Wire() wire.Service {
	return wire.Service{
		Name:     "ssm",
		Protocol: operation.JSON,
		Version:  "AmazonSSM",
		Actions: map[string]wire.Action{
			"GetParameter":        wire.JSON(s.getParameter),
			"GetParameters":       wire.JSON(s.getParameters),
			"GetParametersByPath": wire.JSON(s.getParametersByPath),
		},
	}
}

// Put stores a new version of a parameter.
func (s *Service) Put(name, value string, sealed bool) {
	kind := plain
	if sealed {
		kind = secure
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(name, value, kind)
}

// put stores a new version. The lock is held.
func (s *Service) put(name, value, kind string) {
	if s.stored[name] == nil {
		s.made++
		s.order[name] = s.made
	}
	s.stored[name] = append(s.stored[name], version{value, kind, time.Now()})
}

// Value is the newest value of a parameter.
func (s *Service) Value(name string) (value string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.stored[name]
	if len(versions) == 0 {
		return "", false
	}
	return versions[len(versions)-1].value, true
}

// parameter is a parameter as answers show it.
type parameter struct {
	ARN              string  `json:"ARN"`
	DataType         string  `json:"DataType"`
	LastModifiedDate float64 `json:"LastModifiedDate"`
	Name             string  `json:"Name"`
	Selector         string  `json:"Selector,omitempty"`
	Type             string  `json:"Type"`
	Value            string  `json:"Value"`
	Version          int     `json:"Version"`

	ordinal int64
}

// find reads NAME or NAME:VERSION. The lock is held.
func (s *Service) find(selected string, decrypt bool) (parameter, *wire.Error) {
	name, selector, picked := strings.Cut(selected, ":")
	versions := s.stored[name]
	if len(versions) == 0 {
		// AWS sends this one without a message.
		return parameter{}, wire.Errorf("ParameterNotFound", "")
	}
	n := len(versions)
	if picked {
		var err error
		if n, err = strconv.Atoi(selector); err != nil || n < 1 || n > len(versions) {
			return parameter{}, wire.Errorf("ParameterVersionNotFound",
				"Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
		}
		selector = ":" + selector
	}
	p := s.show(name, versions[n-1], decrypt)
	p.Version, p.Selector, p.ordinal = n, selector, s.order[name]
	return p, nil
}

// show is a version as answers show it, sealed unless decryption was asked for.
func (s *Service) show(name string, v version, decrypt bool) parameter {
	p := parameter{
		ARN:              s.world.ARN("ssm", "parameter/"+strings.TrimPrefix(name, "/")),
		DataType:         "text",
		LastModifiedDate: wire.Epoch(v.at),
		Name:             name,
		Type:             v.kind,
		Value:            v.value,
	}
	if v.kind == secure && !decrypt {
		p.Value = sealed(v.value)
	}
	return p
}

// under are the parameters below a path; only its children unless recursive.
// The lock is held.
func (s *Service) under(path string, recursive, decrypt bool) []parameter {
	prefix := strings.TrimSuffix(path, "/") + "/"
	var found []parameter
	for name, versions := range s.stored {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || !recursive && strings.Contains(rest, "/") {
			continue
		}
		p := s.show(name, versions[len(versions)-1], decrypt)
		p.Version, p.ordinal = len(versions), s.order[name]
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b parameter) int { return int(a.ordinal - b.ordinal) })
	return found
}
