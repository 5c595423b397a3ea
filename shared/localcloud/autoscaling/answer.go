package autoscaling

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"bitbucket.org/fearless/pipes/shared/localcloud/wire"
)

// The structs of this file are the API's element names.

type templateXML struct {
	ID      string `xml:"LaunchTemplateId"`
	Name    string `xml:"LaunchTemplateName,omitempty"`
	Version string `xml:"Version"`
}

type instanceXML struct {
	ID        string       `xml:"InstanceId"`
	Group     string       `xml:"AutoScalingGroupName,omitempty"`
	Zone      string       `xml:"AvailabilityZone"`
	Health    string       `xml:"HealthStatus"`
	Type      string       `xml:"InstanceType,omitempty"`
	Template  *templateXML `xml:"LaunchTemplate"`
	State     string       `xml:"LifecycleState"`
	Protected bool         `xml:"ProtectedFromScaleIn"`
}

func (m *member) xml() instanceXML {
	x := instanceXML{
		ID: m.instance, Zone: m.zone, Health: "Healthy", Type: m.template.Type, State: m.state,
		Template: &templateXML{m.template.ID, m.template.Name, m.template.Version},
	}
	if !m.healthy {
		x.Health = "Unhealthy"
	}
	return x
}

type tagXML struct {
	Key       string `xml:"Key"`
	Value     string `xml:"Value"`
	Propagate bool   `xml:"PropagateAtLaunch"`
	Group     string `xml:"ResourceId"`
	Kind      string `xml:"ResourceType"`
}

type suspendedXML struct {
	Process string `xml:"ProcessName"`
	Reason  string `xml:"SuspensionReason"`
}

type metricXML struct {
	Metric      string `xml:"Metric"`
	Granularity string `xml:"Granularity"`
}

type groupXML struct {
	Name         string         `xml:"AutoScalingGroupName"`
	ARN          string         `xml:"AutoScalingGroupARN"`
	Template     templateXML    `xml:"LaunchTemplate"`
	Low          int            `xml:"MinSize"`
	High         int            `xml:"MaxSize"`
	Desired      int            `xml:"DesiredCapacity"`
	Cooldown     int            `xml:"DefaultCooldown"`
	Warmup       *int           `xml:"DefaultInstanceWarmup"`
	Zones        []string       `xml:"AvailabilityZones>member"`
	TargetGroups []string       `xml:"TargetGroupARNs>member"`
	HealthType   string         `xml:"HealthCheckType"`
	Grace        int            `xml:"HealthCheckGracePeriod"`
	Instances    []instanceXML  `xml:"Instances>member"`
	Created      string         `xml:"CreatedTime"`
	Suspended    []suspendedXML `xml:"SuspendedProcesses>member"`
	Subnets      string         `xml:"VPCZoneIdentifier"`
	Metrics      []metricXML    `xml:"EnabledMetrics>member"`
	Status       string         `xml:"Status,omitempty"`
	Tags         []tagXML       `xml:"Tags>member"`
	Policies     []string       `xml:"TerminationPolicies>member"`
	Protected    bool           `xml:"NewInstancesProtectedFromScaleIn"`
}

// groupXML shows a group. The lock is held.
func (s *Service) groupXML(g *group) groupXML {
	x := groupXML{
		Name: g.name, ARN: g.arn, Template: templateXML{ID: g.template, Version: g.version},
		Low: g.low, High: g.high, Desired: g.desired, Cooldown: g.cooldown, TargetGroups: g.targetGroups, HealthType: "EC2",
		Grace: int(g.grace / time.Second), Created: wire.Time(g.born), Subnets: strings.Join(g.subnets, ","), Policies: []string{"Default"},
	}
	if t, err := s.servers.Template(g.template, g.version); err == nil {
		x.Template.Name = t.Name
	}
	if g.balancerHealth {
		x.HealthType = "ELB"
	}
	if g.warmup >= 0 {
		x.Warmup = &g.warmup
	}
	if g.deleting {
		x.Status = "Delete in progress"
	}
	zones := map[string]bool{}
	for _, subnet := range g.subnets {
		zones[s.servers.Zone(subnet)] = true
	}
	x.Zones = slices.Sorted(maps.Keys(zones))
	for _, m := range g.members {
		if m.instance != "" {
			x.Instances = append(x.Instances, m.xml())
		}
	}
	for _, process := range slices.Sorted(maps.Keys(g.suspended)) {
		x.Suspended = append(x.Suspended, suspendedXML{process, "User suspended"})
	}
	for _, metric := range g.metrics {
		x.Metrics = append(x.Metrics, metricXML{metric, "1Minute"})
	}
	for _, t := range g.tags {
		x.Tags = append(x.Tags, tagXML{t.key, t.value, t.propagate, g.name, "auto-scaling-group"})
	}
	return x
}

type activityXML struct {
	ID          string `xml:"ActivityId"`
	Group       string `xml:"AutoScalingGroupName"`
	ARN         string `xml:"AutoScalingGroupARN"`
	Description string `xml:"Description"`
	Cause       string `xml:"Cause"`
	Start       string `xml:"StartTime"`
	End         string `xml:"EndTime,omitempty"`
	Status      string `xml:"StatusCode"`
	Message     string `xml:"StatusMessage,omitempty"`
	Progress    string `xml:"Progress"`
	Details     string `xml:"Details"`
}

func (a *activity) xml() activityXML {
	x := activityXML{
		ID: a.id, Group: a.group, ARN: a.arn, Description: a.description, Cause: a.cause, Start: wire.Time(a.start),
		Status: a.status, Message: a.message, Progress: strconv.Itoa(a.progress), Details: a.details,
	}
	if !a.end.IsZero() {
		x.End = wire.Time(a.end)
	}
	return x
}
