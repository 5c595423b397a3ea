package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bitbucket.org/fearless/pipes/shared/environment"
	"bitbucket.org/fearless/pipes/shared/exit"
)

const staging = `
network:
  create: {cidr: 10.20.0.0/16}
roles:
  web: {instance: t3.small, min: 2, max: 4, http: {health: /health}}
  worker: {instance: t3.small, processes: [worker, mailer]}
  scheduler: {instance: t3.small, exactly: 1}
`

// servers is the template of an environment file.
func servers(t *testing.T) string {
	t.Helper()
	file, err := environment.Load("environments/staging.yml", "shop", []byte(staging))
	if err != nil {
		t.Fatal(err)
	}
	text, err := file.Servers(environment.Values{Image: "ami-1"}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRolesOf(t *testing.T) {
	t.Parallel()
	got, err := RolesOf([]byte(servers(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Role{
		{Name: "scheduler", Group: "SchedulerGroup", Capacity: "SchedulerCapacity", Min: 1, Max: 1, Singleton: true, Processes: []string{"scheduler"}, Instance: "t3.small", Contract: 1},
		{
			Name: "web", Group: "WebGroup", Targets: "WebTargets", Capacity: "WebCapacity", Min: 2, Max: 4, Processes: []string{"web"}, Instance: "t3.small",
			Health: "/health", Port: 8000, Contract: 1,
		},
		{Name: "worker", Group: "WorkerGroup", Capacity: "WorkerCapacity", Min: 1, Max: 1, Processes: []string{"worker", "mailer"}, Instance: "t3.small", Contract: 1},
	}, got); diff != "" {
		t.Error(diff)
	}
}

// A group that is not understood would not be looked after, so it is an error that names it.
func TestRolesOfOthers(t *testing.T) {
	t.Parallel()
	text := servers(t)
	for want, template := range map[string]string{
		"cannot be read":              "AWSTemplateFormatVersion: 2010-09-09",
		"no group of servers":         `{"Resources":{"Topic":{"Type":"AWS::SNS::Topic"}}}`,
		"names its role":              strings.ReplaceAll(text, environment.TagRole, "team:role"),
		"no parameter gives its size": strings.ReplaceAll(text, `"DesiredCapacity":{"Ref":"WebCapacity"}`, `"DesiredCapacity":{}`),
		"is no number":                strings.ReplaceAll(text, `"MaxSize":"4"`, `"MaxSize":null`),
		`no resource "Elsewhere"`:     strings.ReplaceAll(text, `"LaunchTemplateId":{"Ref":"WebTemplate"}`, `"LaunchTemplateId":{"Ref":"Elsewhere"}`),
		"user data of its servers":    strings.ReplaceAll(text, `"Fn::Sub":"{`, `"Fn::Sub":"#!/bin/sh {`),
	} {
		if template == text {
			t.Fatalf("%s: the template is as it was", want)
		}
		if roles, err := RolesOf([]byte(template)); err == nil || exit.CodeOf(err) != exit.Unable || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v, %v", want, roles, err)
		}
	}
}
