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

	// Gateway is how long a NAT gateway takes to come and to go.
	Gateway time.Duration

	// Visible and HiddenReads are eventual consistency: a fresh id does not
	// exist for anybody until it is Visible old, and is left out of the first
	// HiddenReads answers that should have held it.
	Visible     time.Duration
	HiddenReads int

	// Provisioning passes between the creation of a load balancer and the
	// state active.
	Provisioning time.Duration

	// Registering passes between the registration of a target and its first
	// health check.
	Registering time.Duration

	// CheckEvery replaces the interval of all health checks; zero leaves it to
	// the target groups, which have five seconds at least.
	CheckEvery time.Duration

	// Retrying is how long a schedule waits before it calls its target a second
	// time, a minute when it is zero; it doubles with every attempt.
	Retrying time.Duration

	// Scaling is how often Auto Scaling looks after its groups, a second when
	// it is zero.
	Scaling time.Duration
}

// RealTime is for real processes: long enough that a state can be seen, short
// enough that nobody waits for it.
func RealTime() Timing {
	return Timing{
		Pending:      200 * time.Millisecond,
		ImagePending: 400 * time.Millisecond,
		Stopping:     200 * time.Millisecond,
		Terminating:  200 * time.Millisecond,
		Gateway:      200 * time.Millisecond,
		HiddenReads:  1,
		Provisioning: 200 * time.Millisecond,
		Registering:  100 * time.Millisecond,
		CheckEvery:   250 * time.Millisecond,
		Retrying:     200 * time.Millisecond,
		Scaling:      100 * time.Millisecond,
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
		Gateway:      90 * time.Second,
		HiddenReads:  2,
		Provisioning: 2 * time.Minute,
		Registering:  5 * time.Second,
		Scaling:      5 * time.Second,
	}
}
