package checks

import "kplan/plan/diff"

// The names of the checks of this package, as `waive` takes them.
const (
	NameConnect  = "connect"
	NameCapacity = "capacity.brokers"
	NameParity   = diff.CheckParity
	NameReaders  = "readers.known"
	NameOffsets  = "offsets.placed"
	NameDrained  = "source.drained"
	NameStray    = "writers.moved"
)

// Result is the answer of one check.
type Result = diff.Check

// Failing leaves out what passes.
func Failing(results []Result) []Result {
	var out []Result
	for _, r := range results {
		if r.Verdict != diff.Pass {
			out = append(out, r)
		}
	}
	return out
}
