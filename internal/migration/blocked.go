package migration

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kplan/checks"
	"kplan/executor/state"
	"kplan/internal/kafka"
	"kplan/plan"
	"kplan/plan/diff"
)

// unread says why the clusters could not be read: brokers that cannot be
// reached, rights that are missing, or the error itself.
func unread(ctx context.Context, p *plan.Plan, c *Clusters, reached []checks.Result, err error) error {
	if failed := checks.Failing(reached); len(failed) > 0 {
		return &BrokenError{Checks: failed, Err: err}
	}
	if kafka.NotAllowed(err) {
		allowed, unasked := rights(ctx, p, seen{client: c.Source}, seen{client: c.Target})
		if failed := Lacking(diff.Waive(p.Migration, allowed)); len(failed) > 0 {
			return &BrokenError{Checks: failed, Err: err}
		}
		err = errors.Join(err, unasked)
	}
	return err
}

// BrokenError says which failed checks keep a cluster from being read.
type BrokenError struct {
	Checks []checks.Result
	Err    error
}

func (e *BrokenError) Error() string { return failures(e.Checks).Error() }
func (e *BrokenError) Unwrap() error { return e.Err }

// failures says what each failed check saw and what to do.
func failures(failed []checks.Result) error {
	var errs []error
	for _, c := range failed {
		errs = append(errs, fmt.Errorf("check %s fails for %s %s: %s. %s", c.Name, c.Object.Kind, c.Object.Name, c.Saw, c.Advice))
	}
	return errors.Join(errs...)
}

// Blocked says why apply must not begin, or nil.
func (r *Assessment) Blocked() error {
	var errs []error
	if r.Diagnostics.HasErrors() || r.Graph == nil {
		errs = append(errs, errors.New("the plan does not fit the clusters: see the errors above"))
	}
	var failed []checks.Result
	for _, c := range r.Doc.Checks {
		if c.Waived == "" && (c.Verdict == diff.Fail || c.Verdict == diff.Error) {
			failed = append(failed, c)
		}
	}
	errs = append(errs, failures(failed))
	for _, c := range r.Doc.Changes {
		if c.Broker == diff.Rejected {
			err := fmt.Errorf("the target's brokers refuse %s %s: %s", c.Action, c.Address, strings.TrimSuffix(c.Reason, "."))
			if c.Advice != "" {
				err = fmt.Errorf("%w. What the plan can say: %s", err, c.Advice)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// StaleError lists what moved between a diff and the apply; nothing was done.
type StaleError struct {
	What  string
	Moved []string
}

func (e *StaleError) Error() string {
	return e.What + ", and nothing was done:\n  " + strings.Join(e.Moved, "\n  ") + "\nLook at the new diff and apply again"
}

// Again assesses once more, before the first write. The error is a *StaleError where
// something has moved since, and what Blocked says where that has come up.
func (r *Assessment) Again(ctx context.Context, p *plan.Plan, c *Clusters, st state.State) (*Assessment, error) {
	now, err := Assess(ctx, p, c, st)
	if err != nil {
		return nil, err
	}
	was, is := diff.Fingerprint(r.Source, r.Target, p.Migration), diff.Fingerprint(now.Source, now.Target, p.Migration)
	for topic := range st.Owned {
		// One that a kplan has asked for and that appears only now, after its death.
		if object := fmt.Sprintf("target topic %q", topic); was[object] == "" {
			delete(is, object)
		}
	}
	if moved := diff.Moved(was, is); len(moved) > 0 {
		return nil, &StaleError{What: "the clusters have changed since the diff", Moved: moved}
	}
	return now, now.Blocked()
}
