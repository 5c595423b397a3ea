package world

import "time"

// Timing says how long the cloud takes. The zero value is a cloud in which
// everything happens at once and is visible at once.
type Timing struct {
	// Pending is the time from RunInstances to power-on.
	Pending time.Duration

	// ImagePending is the least time from CreateImage to available.
	ImagePending time.Duration

	// Stopping and Terminating pass between the last process of a machine
	// and the states stopped and terminated.
	Stopping    time.Duration
	Terminating time.Duration

	// Visible and HiddenReads are eventual consistency: a fresh id does not
	// exist for anybody until it is Visible old, and is left out of the first
	// HiddenReads answers that should have held it.
	Visible     time.Duration
	HiddenReads int
}

// RealTime is for real processes: long enough that a state can be seen, short
// enough that nobody waits for it.
func RealTime() Timing {
	return Timing{
		Pending:      200 * time.Millisecond,
		ImagePending: 400 * time.Millisecond,
		Stopping:     200 * time.Millisecond,
		Terminating:  200 * time.Millisecond,
		HiddenReads:  1,
	}
}

// CloudLike is for simulated time: the order of magnitude that people report
// of small servers and images.
func CloudLike() Timing {
	return Timing{
		Pending:      20 * time.Second,
		ImagePending: 3 * time.Minute,
		Stopping:     15 * time.Second,
		Terminating:  30 * time.Second,
		HiddenReads:  2,
	}
}
