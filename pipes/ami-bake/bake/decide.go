package bake

import (
	"fmt"
	"time"

	"bitbucket.org/fearless/pipes/shared/contract"
	"bitbucket.org/fearless/pipes/shared/image"
)

// Server is a build server as EC2 describes it.
type Server struct {
	ID       string
	State    string // pending, running, stopping, stopped, shutting-down, terminated
	Reason   string // why it is in that state
	Bake     string // the key of the bake it serves
	Run      string // the run that launched it
	Launched time.Time
	Expires  time.Time // zero: unknown
}

// off reports whether the server is on its way out or gone.
func (s *Server) off() bool { return s.State == "shutting-down" || s.State == "terminated" }

// Observed is what there is of a bake at one moment. Its parts are read in the order
// server, result, images: whoever finishes a bake makes the image available before he
// removes the server, so a server that is gone without an image is really lost.
type Observed struct {
	Server *Server               // the one launched for the current attempt, if any
	Result *contract.Provisioned // what it reported, if it did
	Images []image.Image         // all of the same inputs, the newest first
	Spent  bool                  // EC2 refuses to launch for this attempt again
}

// Wanted is what a run is after.
type Wanted struct {
	Name   string        // of the image
	Inputs string        // digest
	MaxAge time.Duration // of an image of the same inputs
	Now    time.Time
	Run    string // this run
}

// Kind is the kind of a Step.
type Kind string

// The steps a run can take.
const (
	Use         Kind = "use the image"
	AwaitImage  Kind = "wait for the image"
	RemoveImage Kind = "remove a failed image that keeps the name"
	Launch      Kind = "launch a build server"
	Follow      Kind = "follow the build server"
	Freeze      Kind = "freeze the build server into an image"
	Fail        Kind = "report that provisioning failed"
	GiveUp      Kind = "report what cannot be got over"
	NextAttempt Kind = "try again with another build server"
)

// Step is what to do next, with what it is done to, and why.
type Step struct {
	Kind  Kind
	Image image.Image
	Why   string
}

// Decide says what to do next. It is a pure function: every situation a run can come
// into, after any crash of any run, is a row in its test.
func Decide(o Observed, w Wanted) Step {
	if img, ok := usable(o.Images, w); ok {
		return Step{Kind: Use, Image: img}
	}
	if img, ok := named(o.Images, w.Name); ok {
		switch img.State {
		case image.Failed:
			return Step{Kind: RemoveImage, Image: img, Why: img.Reason}
		case image.Available: // and not usable: somebody changed its tags
			return Step{Kind: GiveUp, Why: fmt.Sprintf("image %s is named %s but its tags say other inputs", img.ID, img.Name)}
		}
		return Step{Kind: AwaitImage, Image: img}
	}
	if o.Result != nil && !o.Result.OK() {
		return Step{Kind: Fail, Why: o.Result.Reason}
	}
	return decideServer(o, w)
}

func decideServer(o Observed, w Wanted) Step {
	s := o.Server
	switch {
	case s == nil && o.Spent:
		return Step{Kind: NextAttempt, Why: "the build server of an earlier run is gone"}
	case s == nil:
		return Step{Kind: Launch}
	case s.State == "stopped" && o.Result != nil:
		return Step{Kind: Freeze}
	case s.State == "stopped":
		return lost(s, w, "stopped without a result")
	case s.off():
		return lost(s, w, "was terminated")
	case s.Run != w.Run && !s.Expires.IsZero() && w.Now.After(s.Expires):
		return Step{Kind: NextAttempt, Why: fmt.Sprintf("build server %s is out of time", s.ID)}
	}
	return Step{Kind: Follow}
}

// lost tells our own server, whose loss is worth a message, from one that another run
// left behind.
func lost(s *Server, w Wanted, how string) Step {
	why := fmt.Sprintf("build server %s %s", s.ID, how)
	if s.Reason != "" {
		why += " (" + s.Reason + ")"
	}
	if s.Run == w.Run {
		return Step{Kind: GiveUp, Why: why}
	}
	return Step{Kind: NextAttempt, Why: why}
}

// usable finds an image that can be used as it is: available, of exactly these
// inputs, and either young enough or the very one that this run set out to make.
func usable(images []image.Image, w Wanted) (image.Image, bool) {
	for _, img := range images {
		if img.State != image.Available || img.Tags[image.TagInputs] != w.Inputs {
			continue
		}
		if img.Name == w.Name || w.Now.Sub(img.Created) <= w.MaxAge {
			return img, true
		}
	}
	return image.Image{}, false
}

func named(images []image.Image, name string) (image.Image, bool) {
	for _, img := range images {
		if img.Name == name {
			return img, true
		}
	}
	return image.Image{}, false
}

// refreshed is the image that a bake replaces because it became too old: the newest
// available one of the inputs. The empty id means that there is none.
func refreshed(images []image.Image) string {
	for _, img := range images {
		if img.State == image.Available {
			return img.ID
		}
	}
	return ""
}
