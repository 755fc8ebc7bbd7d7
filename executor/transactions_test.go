package executor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
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

// OpenTransactions finds them in the log.
func (v *view) OpenTransactions(ctx context.Context, partitions map[string][]int32) ([]cluster.OpenTransaction, error) {
	done, err := v.call(ctx, "open", "", false)
	if err != nil {
		return nil, err
	}
	defer done()
	var all []cluster.OpenTransaction
	for topic, ps := range partitions {
		for _, n := range ps {
			tp := cluster.TopicPartition{Topic: topic, Partition: n}
			p := v.logs().part(tp)
			for o, e := range p.log {
				if e.open {
					t := cluster.OpenTransaction{Partition: tp, StartOffset: int64(o), ProducerID: e.pid, Coordinator: 3, Since: p.opened}
					if !p.opened.IsZero() {
						t.TransactionalID = "shop-1"
					}
					all = append(all, t)
					break
				}
			}
		}
	}
	return all, nil
}

// leaveOpen begins a transaction on t1[0] that its producer does not end.
func (s *stage) leaveOpen(since time.Time) *partition {
	p := s.source.topics["t1"][0]
	s.locked(func() {
		p.log = append(p.log, entry{key: 2, seq: 9000, pid: 4711, open: true})
		p.opened = since
	})
	return p
}

// abort ends it.
func (s *stage) abort(p *partition) {
	s.locked(func() {
		for i := range p.log {
			p.log[i].aborted = p.log[i].aborted || p.log[i].open
			p.log[i].open = false
		}
		p.log = append(p.log, entry{marker: true})
	})
}

// Taken out: the look for transactions that stay open. The service would be
// stopped, and stand stopped for drain_timeout, since its topic gets no boundary
// before they end (R4).
func TestLongTransactionIsFoundBeforeTheStop(t *testing.T) {
	for name, since := range map[string]time.Duration{"its age is told": 10 * time.Minute, "its age is not told": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				var opened time.Time
				if since > 0 {
					opened = time.Now().Add(-since)
				}
				p := s.leaveOpen(opened)
				r := s.apply()
				err := as[*executor.OpenTransactionError](t, r.Err)
				for _, want := range []string{"producer id 4711", "abort --topic t1 --partition 0 --start-offset " + fmt.Sprint(err.Open[0].StartOffset), "kafka-transactions.sh --bootstrap-server a.old:9092"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("it does not say %q: %v", want, err)
					}
				}
				if told := strings.Contains(err.Error(), `transactional id "shop-1", coordinator broker 3`); told != (since > 0) {
					t.Errorf("it says: %v", err)
				}
				if s.where("a") != "source" || len(r.Restored)+len(r.Stranded) > 0 {
					t.Errorf("a runs on %q, %+v", s.where("a"), r)
				}
				s.abort(p)
				s.mustApply()
				s.settled()
			})
		})
	}
}

// A transaction that ends while it is waited for, one that is young, and one
// that the plan accepts keep nobody.
func TestTransactionsThatKeepNobody(t *testing.T) {
	for name, c := range map[string]struct {
		age, ends time.Duration
		waived    bool
	}{
		"ends in time": {5 * time.Minute, 2 * time.Minute, false},
		"young":        {10 * time.Second, 30 * time.Second, false},
		"waived":       {time.Hour, 30 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, plan.ProductionFirst)
				if c.waived {
					s.migration().Waivers = []plan.Waiver{{Check: diff.CheckTransactions, Reason: "long batches"}}
				}
				p := s.leaveOpen(time.Now().Add(-c.age))
				time.AfterFunc(c.ends, func() { s.abort(p) })
				began, stopped := time.Now(), time.Duration(0)
				s.when(graph.ServiceAddress("a", "stop"), func() { stopped = time.Since(began) })
				s.mustApply()
				if waited := stopped > time.Minute; waited != (name == "ends in time") {
					t.Errorf("a was stopped after %s", stopped)
				}
				s.settled()
			})
		})
	}
}

// Taken out: the names. A boundary that is not reached because of a transaction
// blames nobody else, and says how it is ended.
func TestBoundaryNamesWhatIsOpen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.onceStopped("a", func() {
			p := s.source.topics["t1"][0]
			p.log = append(p.log, entry{key: 2, pid: 4711, open: true})
		})
		err := as[*executor.TimeoutError](t, s.apply().Err)
		text := err.Error()
		if !strings.Contains(text, "producer id 4711") || !strings.Contains(text, "kafka-transactions.sh") || strings.Contains(text, "replicas") {
			t.Errorf("it says: %s", text)
		}
		said := false
		for _, e := range s.events {
			p, ok := e.(executor.StepProgress)
			said = said || ok && strings.Contains(p.Text, "producer id 4711")
		}
		if !said {
			t.Error("nothing names it while it is waited for")
		}
	})
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

// Taken out: the difference between a stop that is to begin and one that an earlier
// attempt has begun. It would be said that the service is not stopped, and its stop
// not be brought to its end.
func TestOpenTransactionAfterAStopHasBegun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		k := &killer{memory: s.journal, n: 1 << 30}
		s.onceStopped("a", func() {
			k.mu.Lock()
			k.gone = true
			k.mu.Unlock()
		})
		s.locked(func() { s.worker("a").linger = time.Second }) // killed in the middle of the stop
		s.applyIn(context.Background(), k, k.dead)
		s.onCall = nil
		s.leaveOpen(time.Now().Add(-10 * time.Minute))
		before := len(s.events)
		r := s.apply()
		if err := (*executor.OpenTransactionError)(nil); errors.As(r.Err, &err) {
			t.Errorf("it says: %v", err)
		}
		if late := as[*executor.TimeoutError](t, r.Err); !strings.Contains(late.Error(), "producer id 4711") {
			t.Errorf("the boundary says: %v", late)
		}
		for _, e := range s.events[before:] {
			if p, ok := e.(executor.StepProgress); ok && strings.Contains(p.Text, "before the stop") {
				t.Fatalf("it says %q", p.Text)
			}
		}
	})
}
