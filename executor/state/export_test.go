package state

import "time"

// TTL replaces the time for which a lease lasts.
func TTL(d time.Duration) Option { return func(o *options) { o.ttl = d } }

// Alive replaces the question whether a process of this machine lives.
func Alive(f func(pid int) bool) Option { return func(o *options) { o.alive = f } }
