package stack

import (
	"maps"
	"slices"
	"strings"
)

// ByHand is the one command of the AWS command line that gives some parameters of a stack
// other values and leaves all else as it is: for people with rights of their own, when
// nothing of ours can be run. It keeps no old resources for a soak.
func ByHand(s *Stack, region string, values map[string]string) string {
	parts := []string{
		"aws cloudformation update-stack", "--region", region, "--stack-name", s.Name, "--use-previous-template",
		"--no-disable-rollback", "--rollback-configuration", quoted(`{"MonitoringTimeInMinutes":0,"RollbackTriggers":[]}`), "--parameters",
	}
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		one := "ParameterKey=" + name
		if value, given := values[name]; given {
			one += ",ParameterValue=" + value
		} else {
			one += ",UsePreviousValue=true"
		}
		parts = append(parts, quoted(one))
	}
	return strings.Join(parts, " ")
}

// quoted is a text as a shell takes it for one word.
func quoted(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:@", r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
