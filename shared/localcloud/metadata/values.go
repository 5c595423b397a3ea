package metadata

import (
	"encoding/json"
	"strings"
	"time"
)

// values are all leaves of the tree at this moment.
func (v View) values() map[string]string {
	values := map[string]string{}
	set := func(name, value string) {
		if value != "" {
			values[root+name] = value
		}
	}
	set("/user-data", string(v.UserData))
	set("/meta-data/ami-id", v.ImageID)
	set("/meta-data/instance-id", v.InstanceID)
	set("/meta-data/instance-type", v.InstanceType)
	set("/meta-data/local-ipv4", v.LocalIPv4)
	set("/meta-data/public-ipv4", v.PublicIPv4)
	set("/meta-data/placement/availability-zone", v.AvailabilityZone)
	set("/meta-data/placement/region", v.Region)
	set("/meta-data/security-groups", strings.Join(v.SecurityGroups, "\n"))
	set("/dynamic/instance-identity/document", v.document())
	if v.LifecycleState != nil {
		set("/meta-data/autoscaling/target-lifecycle-state", v.LifecycleState())
	}
	if v.Tags != nil {
		for key, value := range v.Tags() {
			// An empty tag has a path too, hence not by set.
			values[root+"/meta-data/tags/instance/"+key] = value
		}
	}
	if v.Credentials != nil && v.RoleName != "" {
		if credentials, ok := v.Credentials(); ok {
			set("/meta-data/iam/security-credentials/"+v.RoleName, credentials.document())
		}
	}
	return values
}

// document is the instance identity document, without the signatures that
// exist for it on AWS.
func (v View) document() string {
	document := map[string]any{
		"version": "2017-09-30", "accountId": v.AccountID, "region": v.Region, "availabilityZone": v.AvailabilityZone,
		"instanceId": v.InstanceID, "instanceType": v.InstanceType, "imageId": v.ImageID, "privateIp": v.LocalIPv4,
		"architecture": v.Architecture, "pendingTime": v.Launched.UTC().Format(time.RFC3339),
		"billingProducts": nil, "devpayProductCodes": nil, "marketplaceProductCodes": nil, "kernelId": nil, "ramdiskId": nil,
	}
	return indented(document)
}

// document is what security-credentials/ROLE holds.
func (c Credentials) document() string {
	return indented(map[string]any{
		"Code": "Success", "Type": "AWS-HMAC",
		"LastUpdated": c.Updated.UTC().Format(time.RFC3339), "Expiration": c.Expires.UTC().Format(time.RFC3339),
		"AccessKeyId": c.AccessKeyID, "SecretAccessKey": c.SecretAccessKey, "Token": c.SessionToken,
	})
}

func indented(document map[string]any) string {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return "" // cannot happen: strings and nulls only
	}
	return string(text)
}
