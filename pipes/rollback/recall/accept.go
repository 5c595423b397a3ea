package recall

import (
	"fmt"
	"slices"

	"bitbucket.org/fearless/pipes/shared/exit"
	"bitbucket.org/fearless/pipes/shared/image"
	"bitbucket.org/fearless/pipes/shared/ledger"
)

// mostOffers is how many commits a refusal names that would be accepted.
const mostOffers = 5

// offers are commits that would be accepted, the one that was live last first. Images are
// all of the application that the account has.
func (f *facts) offers(images []image.Image) []target {
	var found []target
	seen := map[string]bool{f.position().live.Commit: true}
	for _, r := range f.releasesOfProof() {
		commit := r.Start.Commit
		if commit == "" || seen[commit] || len(found) == mostOffers {
			continue
		}
		seen[commit] = true
		standing, proof := ledger.StandingOf(f.proven, commit)
		if standing != ledger.Proven {
			continue
		}
		t := target{commit: commit, proof: proof}
		if i := slices.IndexFunc(images, func(img image.Image) bool { return img.ID == proof.Start.Image.ID }); i >= 0 {
			t.image = &images[i]
		}
		if len(f.judge(&t)) == 0 {
			found = append(found, t)
		}
	}
	return found
}

// refusal is all that speaks against a request, with what would be accepted in its place.
func (f *facts) refusal(against []objection, offers []target) error {
	text := against[0].text
	if len(against) > 1 {
		text = "the rollback is refused:"
		for _, o := range against {
			text += "\n  " + o.text
		}
	}
	e := exit.Refusedf("%s", text)
	for _, o := range against {
		e = e.Hint(o.hints...)
	}
	if len(offers) == 0 {
		return e.Hint(fmt.Sprintf("no other commit that was live in %s would be accepted", f.s.ProvenIn))
	}
	e = e.Hint("these would be accepted:")
	for _, t := range offers {
		e = e.Hint(fmt.Sprintf("  COMMIT: '%s'  (live in %s since %s%s)", short(t.commit), f.s.ProvenIn, moment(t.proof.At), by(t.proof.Start)))
	}
	return e
}
