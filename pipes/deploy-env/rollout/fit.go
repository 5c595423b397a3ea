package rollout

import (
	"fmt"
	"slices"
	"strings"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
)

// fit refuses an image that cannot run in the environment, before anything is touched.
// All that speaks against it is said at once.
func fit(file *environment.File, record *image.Record, img *image.Image) error {
	var against []string
	if img == nil || img.State != image.Available {
		against = append(against, "it is not there any more")
	}
	if record.Architecture != file.Architecture() {
		against = append(against, fmt.Sprintf("it is for %s, and the servers of %s are %s", record.Architecture, file.Path, file.Architecture()))
	}
	if record.Contract > contract.Version {
		against = append(against, fmt.Sprintf("its boot agent speaks contract %d, this pipe knows %d: use a newer version of the pipe", record.Contract, contract.Version))
	}
	for _, role := range file.Roles {
		if role.Name == contract.RoleAll {
			continue
		}
		for _, process := range role.Processes {
			if !slices.Contains(record.Processes, process) {
				against = append(against, fmt.Sprintf("role %s runs the process type %s, which its Procfile does not have (it has %s)",
					role.Name, process, strings.Join(record.Processes, ", ")))
			}
		}
	}
	if len(against) == 0 {
		return nil
	}
	return exit.Refusedf("image %s of commit %.12s does not fit %s:\n  %s", record.Image, record.Commit, file.Path, strings.Join(against, "\n  "))
}
