package testenv

import "time"

const (
	// shortest is the least time that is worth an environment: its creation takes up to
	// ten minutes.
	shortest = 15 * time.Minute

	// longest keeps an environment from being forgotten: a month of one costs 12 USD.
	longest = 14 * 24 * time.Hour

	// dusk is the time before night in which it is too late to begin for today.
	dusk = time.Hour
)

// tonight is the next night that is at least an hour away. On the day on which clocks
// change it is at that time of the day, not 24 hours after the last one.
func tonight(now time.Time, night Clock, zone *time.Location) time.Time {
	today := now.In(zone)
	for day := 0; ; day++ {
		at := time.Date(today.Year(), today.Month(), today.Day()+day, night.Hour, night.Minute, 0, 0, zone)
		if at.Sub(now) >= dusk {
			return at
		}
	}
}
