package testenv

import (
	"fmt"
	"time"
)

// priced is when the prices below were looked up, and where they hold.
const priced = "us-east-1, October 2026"

// Prices in USD, on demand. Sources: the AWS Price List of 2026-10-08, and for types of
// servers that of 2026-07-28.
const (
	priceAddress = 0.005     // a public IPv4 address, an hour
	priceDisk    = 0.08 / 30 // a GB of gp3, a day
	disk         = 8         // GB, of the base images that ami-bake knows
)

// prices are those of servers, an hour.
var prices = map[string]float64{
	"t4g.nano": 0.0042, "t4g.micro": 0.0084, "t4g.small": 0.0168, "t4g.medium": 0.0336,
	"t3.nano": 0.0052, "t3.micro": 0.0104, "t3.small": 0.0208, "t3.medium": 0.0416,
}

// Cost is what an environment with one such server costs in a time, in USD; false when
// the price is not known. Network and balancer are testing's, and cost nothing more. A
// server that works hard for hours costs up to 0.10 USD an hour more (T3, unlimited).
func Cost(instance string, span time.Duration) (float64, bool) {
	price, ok := prices[instance]
	return (price+priceAddress)*span.Hours() + disk*priceDisk*span.Hours()/24, ok
}

// estimate says it.
func estimate(instance string, span time.Duration) string {
	day, ok := Cost(instance, 24*time.Hour)
	if !ok {
		return "no estimate, the price of " + instance + " is not known here"
	}
	until, _ := Cost(instance, span)
	return fmt.Sprintf("about %.2f USD a day, %.2f until its end (prices of %s)", day, until, priced)
}
