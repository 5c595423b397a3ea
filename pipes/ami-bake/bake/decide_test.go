package bake_test

import (
	"testing"
	"time"

	"bitbucket.org/fearless/pipes/pipes/ami-bake/bake"
	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/image"
)

// TestDecide has a row for every situation that runs, their crashes and other runs
// can lead to.
func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	want := bake.Wanted{Name: "shop-k", Inputs: "inputs", MaxAge: 7 * 24 * time.Hour, Now: now, Run: "ours"}
	server := func(run, state string) *bake.Server {
		return &bake.Server{ID: "i-1", State: state, Run: run, Expires: now.Add(time.Minute)}
	}
	img := func(name string, state image.State, age time.Duration) image.Image {
		return image.Image{ID: "ami-" + name, Name: name, State: state, Created: now.Add(-age), Tags: map[string]string{image.TagInputs: "inputs"}}
	}
	strange := img("shop-k", image.Available, 0)
	strange.Tags = map[string]string{image.TagInputs: "others"}
	expired := server("other", "running")
	expired.Expires = now.Add(-time.Second)
	ownExpired := server("ours", "running")
	ownExpired.Expires = now.Add(-time.Second)
	good, bad := &contract.Provisioned{}, &contract.Provisioned{ExitCode: 3}
	images := func(list ...image.Image) []image.Image { return list }
	const day = 24 * time.Hour

	tests := map[string]struct {
		seen bake.Observed
		want bake.Kind
	}{
		"nothing there":                           {bake.Observed{}, bake.Launch},
		"nothing there, EC2 remembers the token":  {bake.Observed{Spent: true}, bake.NextAttempt},
		"our server starts":                       {bake.Observed{Server: server("ours", "pending")}, bake.Follow},
		"our server works":                        {bake.Observed{Server: server("ours", "running")}, bake.Follow},
		"another run's server works":              {bake.Observed{Server: server("other", "running")}, bake.Follow},
		"another run's server is out of time":     {bake.Observed{Server: expired}, bake.NextAttempt},
		"our own deadline is not the server's":    {bake.Observed{Server: ownExpired}, bake.Follow},
		"provisioned, still powering off":         {bake.Observed{Server: server("ours", "stopping"), Result: good}, bake.Follow},
		"provisioned and off":                     {bake.Observed{Server: server("ours", "stopped"), Result: good}, bake.Freeze},
		"provisioned by a dead run":               {bake.Observed{Server: server("other", "stopped"), Result: good}, bake.Freeze},
		"provisioning failed":                     {bake.Observed{Server: server("ours", "running"), Result: bad}, bake.Fail},
		"provisioning failed in a dead run":       {bake.Observed{Result: bad}, bake.Fail},
		"our server stopped silently":             {bake.Observed{Server: server("ours", "stopped")}, bake.GiveUp},
		"our server was terminated":               {bake.Observed{Server: server("ours", "terminated")}, bake.GiveUp},
		"another run's server stopped silently":   {bake.Observed{Server: server("other", "stopped")}, bake.NextAttempt},
		"another run's server was terminated":     {bake.Observed{Server: server("other", "shutting-down"), Result: good}, bake.NextAttempt},
		"image is being made":                     {bake.Observed{Server: server("ours", "stopped"), Result: good, Images: images(img("shop-k", image.Pending, 0))}, bake.AwaitImage},
		"image failed":                            {bake.Observed{Server: server("ours", "stopped"), Result: good, Images: images(img("shop-k", image.Failed, 0))}, bake.RemoveImage},
		"image is there":                          {bake.Observed{Server: server("ours", "stopped"), Result: good, Images: images(img("shop-k", image.Available, 0))}, bake.Use},
		"image is there, its server gone":         {bake.Observed{Server: server("other", "terminated"), Images: images(img("shop-k", image.Available, 0))}, bake.Use},
		"image of the same name but other inputs": {bake.Observed{Images: images(strange)}, bake.GiveUp},
		"young image of an earlier generation":    {bake.Observed{Images: images(img("shop-k0", image.Available, day))}, bake.Use},
		"image exactly at the age limit":          {bake.Observed{Images: images(img("shop-k0", image.Available, 7*day))}, bake.Use},
		"image too old":                           {bake.Observed{Images: images(img("shop-k0", image.Available, 8*day))}, bake.Launch},
		"the refreshed image, whatever its age":   {bake.Observed{Images: images(img("shop-k", image.Available, 30*day))}, bake.Use},
		"an old failed image under another name":  {bake.Observed{Images: images(img("shop-k0", image.Failed, 0))}, bake.Launch},
		"a good image beats a bad result":         {bake.Observed{Result: bad, Images: images(img("shop-k", image.Available, 0))}, bake.Use},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := bake.Decide(test.seen, want); got.Kind != test.want {
				t.Errorf("decided to %q, want %q", got.Kind, test.want)
			}
		})
	}
}
