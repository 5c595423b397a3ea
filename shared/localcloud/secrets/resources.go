package secrets

import (
	"cmp"

	"bitbucket.org/fearless/pipes/shared/localcloud/resource"
	"bitbucket.org/fearless/pipes/shared/localcloud/world"
)

// Types are the resource types of templates that Secrets Manager owns.
func (s *Service) Types() []resource.Type {
	return []resource.Type{{
		Name: "AWS::SecretsManager::Secret", Properties: []string{"GenerateSecretString", "Description", "Tags"}, Attributes: []string{"Id"},
		Create: s.create, Update: s.update, Delete: s.delete,
	}}
}

type order struct {
	recipe      recipe
	description string
	tags        world.Tags
}

func decode(r resource.Request) (order, error) {
	p := r.Properties.Reader()
	o := order{recipe: decodeRecipe(p.Map("GenerateSecretString")), description: p.String("Description")}
	own := world.Tags(p.Tags("Tags"))
	if err := cmp.Or(p.Done(), own.Check()); err != nil {
		return o, err
	}
	if failure := o.recipe.check(); failure != nil {
		return o, failure
	}
	o.tags = world.Tags(r.Tags).With(own)
	return o, nil
}

func (s *Service) create(r resource.Request) (resource.Made, error) {
	o, err := decode(r)
	if err != nil {
		return resource.Made{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.add(r.LogicalID + "-" + s.world.Key("secret name", 12))
	return s.fill(x, o, true), nil
}

// fill gives a secret what its template says. The lock is held.
func (s *Service) fill(x *secret, o order, anew bool) resource.Made {
	x.description, x.tags = o.description, o.tags
	if anew {
		s.set(x, o.recipe.make(func(n int) string { return s.world.Key("secret", n) }))
	}
	return resource.Made{Physical: x.arn, Attributes: map[string]any{"Id": x.arn}}
}

// update makes a new value only when the recipe changes: a new description
// must not lock a database's users out.
func (s *Service) update(r resource.Request, old resource.Properties, physical string) (resource.Made, error) {
	o, err := decode(r)
	if err != nil {
		return resource.Made{}, err
	}
	was, err := decode(resource.Request{Properties: old})
	s.mu.Lock()
	defer s.mu.Unlock()
	x, failure := s.find(physical)
	if failure != nil {
		return resource.Made{}, failure
	}
	return s.fill(x, o, err != nil || !o.recipe.equal(was.recipe)), nil
}

// delete leaves no time in which the secret could be restored.
func (s *Service) delete(physical string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, physical)
	return nil
}
