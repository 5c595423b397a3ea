package fault

// step is how many cases of a sweep there are to one that is run under the race detector,
// which makes everything take eight times as long. `make test` sweeps once more without it.
const step = 8

// Sweep counts the cases of a test that does the same thing in hundreds of ways.
type Sweep struct{ cases int }

// Next reports whether the next case is to be run: each of them, but under the race
// detector one of eight, which are the same ones in every run.
func (s *Sweep) Next() bool {
	s.cases++
	return !raced || s.cases%step == 0
}
