package recall

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"bitbucket.org/fearless/pipes/shared/contract"
)

// template is what is read out of the live template of the servers: who rolls back has no
// environment file.
type template struct {
	digest string // blank: not read yet
	roles  []role
}

// role is one kind of server in the template.
type role struct {
	name      string
	contract  int // of what its servers are told
	processes []string
	health    string // path; blank without one
}

// readTemplate finds the roles by what their servers are told.
func readTemplate(text string) ([]role, error) {
	var t struct {
		Resources map[string]struct {
			Type       string
			Properties struct {
				LaunchTemplateData struct {
					UserData struct {
						Base64 struct {
							Sub string `json:"Fn::Sub"`
						} `json:"Fn::Base64"`
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, fmt.Errorf("the live template cannot be read: %w", err)
	}
	var roles []role
	for id, r := range t.Resources {
		if r.Type != "AWS::EC2::LaunchTemplate" {
			continue
		}
		u, err := contract.ParseUserData([]byte(r.Properties.LaunchTemplateData.UserData.Base64.Sub))
		if err != nil {
			return nil, fmt.Errorf("what servers of %s are told cannot be read from the live template: %w", id, err)
		}
		if u.Release {
			continue
		}
		one := role{name: u.Role, contract: u.Contract, processes: u.Processes, health: u.HealthPath}
		if len(one.processes) == 0 && one.name != contract.RoleAll {
			one.processes = []string{one.name}
		}
		roles = append(roles, one)
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("the live template has no roles")
	}
	slices.SortFunc(roles, func(a, b role) int { return cmp.Compare(a.name, b.name) })
	return roles, nil
}
