package bake

import (
	"context"

	"bitbucket.org/fearless/pipes/shared/exit"
)

// Parameters of Parameter Store in which account.yml keeps the bake network.
const (
	subnetParameter = "/fearless/bake/subnet"
	groupParameter  = "/fearless/bake/security-group"
)

// resolve asks AWS for the rest of the inputs: base image, network, parameter versions.
func (b *baker) resolve(ctx context.Context) error {
	from, err := parseBase(b.s.BaseImage, b.s.Architecture)
	if err != nil {
		return exit.Invalidf("BASE_IMAGE: %w", err)
	}
	b.base, b.subnet, b.group = from.id, b.s.Subnet, b.s.SecurityGroup
	var names []string
	if from.parameter != "" {
		names = append(names, from.parameter)
	}
	if b.subnet == "" {
		names = append(names, subnetParameter, groupParameter)
	}
	if len(names) > 0 {
		values, err := b.aws.parameters(ctx, names)
		if err != nil {
			return exit.Unablef("%w", err)
		}
		if err := b.fill(values, from.parameter); err != nil {
			return err
		}
	}
	var parameters []Parameter
	if b.s.Parameters != "" {
		if parameters, err = b.aws.versions(ctx, b.s.Parameters); err != nil {
			return exit.Unablef("%w", err)
		}
		if len(parameters) == 0 {
			return exit.Invalidf("BAKE_PARAMETERS: there are no parameters below %s", b.s.Parameters).
				Hint("create them in Parameter Store, or leave BAKE_PARAMETERS out")
		}
	}
	b.inputs = b.material.inputs(b.s, b.base, parameters).Digest()
	b.rt.Console.Info("Base image %s (%s, %s), inputs %s", b.base, b.s.BaseImage, b.s.Architecture, b.inputs[:keyDigits])
	return nil
}

// fill takes what was read from Parameter Store and says what is missing there.
func (b *baker) fill(values map[string]string, baseParameter string) error {
	if baseParameter != "" {
		if b.base = values[baseParameter]; !amiID.MatchString(b.base) {
			return exit.Invalidf("BASE_IMAGE: the parameter %s holds no image id in %s", baseParameter, b.session.Region).
				Hint("check the name and the region, or give the id of an image")
		}
	}
	if b.subnet == "" {
		b.subnet, b.group = values[subnetParameter], values[groupParameter]
	}
	if b.subnet == "" || b.group == "" {
		return exit.Invalidf("there is no network to bake in: the parameters %s and %s are missing", subnetParameter, groupParameter).Hint(
			"create the stack of account.yml once per account and region",
			"or give SUBNET_ID and SECURITY_GROUP_ID of a network you have",
		)
	}
	return nil
}
