package cluster

import "time"

// SayAfter is for how long a cluster, or a program that speaks to one, may keep
// people waiting in silence; SayAgain is how often it is said after that what is
// waited for.
const (
	SayAfter = 5 * time.Second
	SayAgain = 10 * time.Second
)
