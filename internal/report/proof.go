package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/olekukonko/tablewriter"

	"kplan/internal/workload"
)

// Proof writes what the services of a demonstration produced and consumed, what
// was lost, repeated or out of order, how long they paused, and the outcome.
func Proof(w io.Writer, r workload.Report, outcome string) error {
	var b strings.Builder
	counts := tablewriter.NewWriter(&b)
	counts.Header("topic", "group", "produced", "consumed", "lost", "twice", "out of order")
	for _, t := range r.Topics {
		for _, g := range t.Readers {
			if err := counts.Append(t.Topic, g.Group, fmt.Sprint(t.Produced), fmt.Sprint(g.Received), fmt.Sprint(g.Lost), fmt.Sprint(g.Twice), fmt.Sprint(g.OutOfOrder)); err != nil {
				return fmt.Errorf("writing the proof: %w", err)
			}
		}
	}
	if err := counts.Render(); err != nil {
		return fmt.Errorf("writing the proof: %w", err)
	}
	pauses := tablewriter.NewWriter(&b)
	pauses.Header("service", "longest pause", "between")
	for _, p := range r.Pauses {
		longest := time.Duration(p.Longest * float64(time.Millisecond)).Round(time.Millisecond)
		if err := pauses.Append(p.Service+" ("+p.What+")", longest.String(), fmt.Sprintf("%s and %s", p.From, p.To)); err != nil {
			return fmt.Errorf("writing the proof: %w", err)
		}
	}
	if err := pauses.Render(); err != nil {
		return fmt.Errorf("writing the proof: %w", err)
	}
	for _, s := range r.Sentences() {
		fmt.Fprintln(&b, s)
	}
	fmt.Fprintln(&b, outcome)
	_, err := io.WriteString(w, b.String())
	return err
}
