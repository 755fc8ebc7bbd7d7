package report

import (
	"fmt"
	"io"

	"kplan/plan/graph"
)

// StepsText shows the steps that a run would carry out, in an order in which they
// could run.
func StepsText(w io.Writer, g *graph.Graph, steps []*graph.Step) error {
	if len(steps) == 0 {
		_, err := fmt.Fprintln(w, "\nNo step would run.")
		return err
	}
	byHand := 0
	for _, s := range steps {
		if s.Manual {
			byHand++
		}
	}
	if _, err := fmt.Fprintf(w, "\n%d steps would run, %d of them wait for a person:\n", len(steps), byHand); err != nil {
		return err
	}
	return g.WriteSteps(w, steps)
}
