// Package boottime is a clock that goes on while the machine is suspended, or
// the process stands still: leases run by it (R18). Only differences of its
// times mean something.
package boottime
