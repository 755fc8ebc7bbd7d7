package executor_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/plan"
)

// heldBy is injected as an answer: these transactions are open.
type heldBy []string

func (h heldBy) Error() string { return "held by " + strings.Join(h, ", ") }

// OffsetTransactions answers what a test injects; nothing is open otherwise.
func (v *view) OffsetTransactions(ctx context.Context, group string) ([]string, error) {
	done, err := v.call(ctx, "transactions", group, false)
	var held heldBy
	switch {
	case errors.As(err, &held):
		return held, nil
	case err != nil:
		return nil, err
	}
	done()
	return nil, nil
}

// Taken out: the look for open transactions. A transaction that has only
// announced the group's offsets does not show in its position and may still
// move it (R9).
func TestVacateWaitsForOpenTransactions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		asked, tooEarly := 0, false
		s.locked(func() {
			s.failing = func(op, _ string) error {
				switch {
				case op == "source transactions" && asked < 4:
					asked++
					return heldBy{"billing-1"}
				case op == "target commit":
					tooEarly = tooEarly || asked < 4
				}
				return nil
			}
		})
		s.mustApply()
		if asked != 4 || tooEarly {
			t.Errorf("asked %d times, placed too early: %v", asked, tooEarly)
		}
	})
}

// Taken out: the limit. A transaction that never ends fails the step by name.
func TestVacateNamesTransactionsThatStayOpen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() {
			s.failing = func(op, _ string) error {
				if op == "source transactions" {
					return heldBy{"billing-1"}
				}
				return nil
			}
		})
		r := s.apply()
		if err := as[*executor.TimeoutError](t, r.Err); !strings.Contains(err.Left, "billing-1") {
			t.Errorf("it says %q", err.Left)
		}
	})
}

// Brokers before 3.0 list no transactions: that is said, and not waited for.
func TestVacateGoesOnWhereTransactionsCannotBeListed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() {
			s.failing = func(op, _ string) error {
				if op == "source transactions" {
					return cluster.ErrTransactionsUnknown
				}
				return nil
			}
		})
		s.mustApply()
		said := false
		for _, e := range s.events {
			if n, ok := e.(executor.Noted); ok {
				said = said || strings.Contains(n.Text, "cannot be asked")
			}
		}
		if !said {
			t.Error("it was not said")
		}
	})
}
