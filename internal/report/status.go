package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"

	"kplan/executor/state"
	"kplan/internal/migration"
)

// StatusText shows where a migration stands.
func StatusText(w io.Writer, doc migration.Status) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", doc.Migration, doc.Phase)
	if doc.Outcome != "" {
		fmt.Fprintf(&b, ": %s", doc.Outcome)
	}
	fmt.Fprintf(&b, " (state serial %d)\n", doc.Serial)
	if doc.Error != "" {
		fmt.Fprintf(&b, "  %s\n", doc.Error)
	}
	table := tablewriter.NewWriter(&b)
	table.Header("step", "status", "attempt", "at")
	for _, s := range doc.Steps {
		if err := table.Append(s.Address, s.Status, fmt.Sprint(s.Attempt), s.At.Format(time.RFC3339)); err != nil {
			return fmt.Errorf("writing the status: %w", err)
		}
	}
	if len(doc.Steps) > 0 {
		if err := table.Render(); err != nil {
			return fmt.Errorf("writing the status: %w", err)
		}
	}
	for _, s := range doc.Services {
		fmt.Fprintf(&b, "service %s: %s\n", s.Name, s.Side)
	}
	for _, t := range doc.Held {
		fmt.Fprintf(&b, "topic %s: retention is held on the target (R16)\n", t)
	}
	Fences(&b, doc.Fences)
	writeWorkers(&b, doc.Workers)
	if doc.Lock != nil {
		fmt.Fprintf(&b, "locked by %s\n", doc.Lock)
	}
	if by := doc.Paused; by != nil {
		fmt.Fprintf(&b, "PAUSED by %s from %s at %s%s\n", by.Who, by.From, by.At.Format(time.RFC3339), ReasonOf(*by))
	}
	for _, r := range doc.Requests {
		what := strings.TrimSpace(string(r.Verb) + " " + r.Address)
		fmt.Fprintf(&b, "request %s: %s by %s from %s at %s: %s", r.ID, what, r.Who, r.From, r.At.Format(time.RFC3339), r.Standing)
		if r.Why != "" {
			fmt.Fprintf(&b, ": %s", r.Why)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ReasonOf is what somebody has said about a request, if anything.
func ReasonOf(by state.Answer) string {
	if by.Reason == "" {
		return ""
	}
	return ": " + by.Reason
}

// writeWorkers shows what the workers have told. One that is silent has nothing to
// copy any more: its partitions are with others, or wait for somebody.
func writeWorkers(w io.Writer, workers []migration.StatusWorker) {
	silent := 0
	var last migration.StatusWorker
	for _, k := range workers {
		if k.Silent {
			silent++
			if k.At.After(last.At) {
				last = k
			}
			continue
		}
		fmt.Fprintf(w, "mirror worker %s on %s (process %d): %d partitions, %d records to copy", k.ID, k.Host, k.PID, k.Partitions, k.Lag) // into memory
		if k.Unknown > 0 {
			fmt.Fprintf(w, " and more in %d partitions of which it is not known yet", k.Unknown) // into memory
		}
		fmt.Fprintf(w, ", %.1f MB/s, at %s\n", k.Rate/1e6, k.At.Format(time.RFC3339)) // into memory
		if k.MapsWhole != "" {
			fmt.Fprintf(w, "  offset maps take %.1f MB: %s\n", float64(k.Maps)/1e6, k.MapsWhole) // into memory
		}
		for _, s := range k.Stopped {
			fmt.Fprintf(w, "  STOPPED %s\n", s) // into memory
		}
	}
	if silent > 0 {
		fmt.Fprintf(w, "%d mirror workers ended without a word, the last heard is %s on %s (process %d) at %s: apply and other workers forget them by themselves\n",
			silent, last.ID, last.Host, last.PID, last.At.Format(time.RFC3339)) // into memory
	}
}

// Fences lists what stands on the source, and how it is taken away.
func Fences(b *strings.Builder, fences []migration.Fence) {
	for _, f := range fences {
		fmt.Fprintf(b, "topic %s: fence on the source (R8): %s\n", f.Topic, strings.Join(f.Rules, "; "))
	}
	if len(fences) > 0 {
		b.WriteString("A fence stays until you take it away. Keep it for as long as a stopped producer could come back on the source; the commands, in this order:\n")
	}
	for _, f := range fences {
		for _, command := range f.Lift {
			fmt.Fprintf(b, "  %s\n", command)
		}
	}
}
