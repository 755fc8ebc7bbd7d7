package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/diff"
)

// confirm asks once and takes only "yes". An interrupt is an answer, too.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	if _, err := fmt.Fprint(out, "Carry this out? Only \"yes\" is taken: "); err != nil {
		return err
	}
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // ends with the process where nobody answers any more
		line, err := bufio.NewReader(in).ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return &codedError{code: exitInterrupted, err: errors.New("interrupted, nothing was carried out")}
	case a := <-answered:
		if a.err != nil && a.line == "" {
			return fmt.Errorf("reading the answer: %w", a.err)
		}
		if strings.TrimSpace(a.line) != "yes" {
			return errors.New("not carried out")
		}
		return nil
	}
}

// staleError lists what moved between the diff and the apply.
type staleError struct {
	what  string
	moved []string
}

func (e *staleError) Error() string {
	return e.what + ", and nothing was done:\n  " + strings.Join(e.moved, "\n  ") + "\nLook at the new diff and apply again"
}

// lookAgain reads the clusters once more, before the first write.
func lookAgain(ctx context.Context, p *plan.Plan, c *clusters, st state.State, before *review) (*review, error) {
	now, err := look(ctx, p, c, st)
	if err != nil {
		return nil, err
	}
	was, is := diff.Fingerprint(before.source, before.target, p.Migration), diff.Fingerprint(now.source, now.target, p.Migration)
	for topic := range st.Owned {
		// One that a kplan has asked for and that appears only now, after its death.
		if object := fmt.Sprintf("target topic %q", topic); was[object] == "" {
			delete(is, object)
		}
	}
	moved := diff.Moved(was, is)
	if len(moved) > 0 {
		return nil, &codedError{code: exitStale, err: &staleError{what: "the clusters have changed since the diff", moved: moved}}
	}
	return now, now.blocked()
}
