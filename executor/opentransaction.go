package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// OpenTransactionError says that transactions stay open on topics whose writers
// were to be stopped. Nothing of the service has been stopped.
type OpenTransactionError struct {
	Service string
	Open    []cluster.OpenTransaction
	Waited  time.Duration
	Source  *plan.Cluster
	now     time.Time
}

func (e *OpenTransactionError) Error() string {
	return fmt.Sprintf("service %q is not stopped: %s. Its topic would have no boundary until that ends (R4), and it was waited for %s. %s, then apply again; or waive %q where transactions are open for that long on purpose",
		e.Service, sayOpen(e.Open, e.now), e.Waited.Round(time.Second), endOpen(e.Source, e.Open), diff.CheckTransactions)
}

// AbortCommand is what a person types to abort a transaction of a producer that
// is gone (KIP-664; brokers from 2.8).
func AbortCommand(c *plan.Cluster, t cluster.OpenTransaction) string {
	words := []string{"kafka-transactions.sh", "--bootstrap-server", strings.Join(c.Bootstrap, ",")}
	if c.TLS != nil || c.SASL != nil {
		words = append(words, "--command-config", "admin.properties")
	}
	return cluster.CommandLine(append(words, "abort", "--topic", t.Partition.Topic, "--partition", strconv.Itoa(int(t.Partition.Partition)), "--start-offset", strconv.FormatInt(t.StartOffset, 10))...)
}

// mostOpen is how many open transactions a message names.
const mostOpen = 3

// sayOpen names transactions, with their age.
func sayOpen(open []cluster.OpenTransaction, now time.Time) string {
	var all []string
	for i, t := range open {
		if i == mostOpen {
			all = append(all, fmt.Sprintf("%d more", len(open)-i))
			break
		}
		text := "a transaction of " + t.String()
		switch {
		case !t.Since.IsZero():
			text += fmt.Sprintf(", for %s by now", now.Sub(t.Since).Round(time.Second))
		case !t.Written.IsZero():
			text += fmt.Sprintf(", last written %s ago by its record's time stamp", now.Sub(t.Written).Round(time.Second))
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// endOpen says how transactions come to their end.
func endOpen(c *plan.Cluster, open []cluster.OpenTransaction) string {
	var commands []string
	for _, t := range open[:min(len(open), mostOpen)] {
		commands = append(commands, AbortCommand(c, t))
	}
	return "Let the producer commit or abort it; where it is gone, abort it: " + strings.Join(commands, "; ")
}

// noLongTransactions waits, before a service is stopped, until no transaction
// has been open for long on the topics that it writes: the boundary could not be
// drawn before its end. What the service itself has open ends with its stop. A stop
// that an earlier attempt has begun is brought to its end instead: the service may
// be down already, and the boundary waits for the same and names it.
func (r *run) noLongTransactions(ctx context.Context, s *graph.Step, service *plan.Service) error {
	var topics []string
	for _, t := range service.Produces {
		if r.sideOf(t.Name) == cluster.Source {
			topics = append(topics, t.Name)
		}
	}
	if len(topics) == 0 || r.waives(diff.CheckTransactions) || r.told(service.Name) {
		return nil
	}
	began := r.Clock.Now()
	seen := map[cluster.OpenTransaction]time.Time{} // when kplan has seen it first
	for {
		open, err := r.openOn(ctx, topics)
		if err != nil {
			return err
		}
		now := r.Clock.Now()
		if open = long(open, seen, began, now); len(open) == 0 {
			return nil
		}
		if limit := r.limit(s, r.Plan.Migration.Scheme.DrainTimeout); now.Sub(began) > limit {
			return &OpenTransactionError{Service: service.Name, Open: open, Waited: now.Sub(began), Source: r.Plan.Migration.Source, now: now}
		}
		r.progress(s, StepProgress{Text: "before the stop: " + sayOpen(open, now) + ". " + endOpen(r.Plan.Migration.Source, open)})
		for range gateLooks {
			if err := r.tick(ctx); err != nil {
				return err
			}
		}
	}
}

// openOn returns the transactions that hold back the last stable offset of
// topics on the source. Nobody is asked about partitions where none does.
func (r *run) openOn(ctx context.Context, topics []string) ([]cluster.OpenTransaction, error) {
	ends, err := r.Source.LogEnds(ctx, topics)
	if err != nil {
		return nil, err
	}
	held := offsets{}
	for tp, e := range ends {
		if e.LastStable < e.HighWatermark {
			held[tp] = e.LastStable
		}
	}
	if len(held) == 0 {
		return nil, nil
	}
	open, err := r.Source.OpenTransactions(ctx, partitionsOf(held))
	if !errors.Is(err, cluster.ErrTransactionsUnknown) {
		return open, err
	}
	for _, tp := range inOrder(partitionsOf(held)) { // brokers before 2.8 tell no more
		open = append(open, cluster.OpenTransaction{Partition: tp, StartOffset: held[tp], ProducerID: -1, Coordinator: -1})
	}
	return open, nil
}

// long leaves out transactions that have not been open for long, by their
// coordinator or since kplan has seen them first. One of unknown age that was
// there at the first look may be old: it has to go, or turn out to be long.
func long(open []cluster.OpenTransaction, seen map[cluster.OpenTransaction]time.Time, began, now time.Time) []cluster.OpenTransaction {
	first := len(seen) == 0
	return slices.DeleteFunc(open, func(t cluster.OpenTransaction) bool {
		same := t
		same.Since, same.Written = time.Time{}, time.Time{}
		since, known := seen[same]
		switch {
		case known:
		case first:
			since = began
		default:
			since = now
		}
		seen[same] = since
		if !t.Since.IsZero() {
			return now.Sub(t.Since) < diff.LongTransaction && now.Sub(since) < diff.LongTransaction
		}
		return !since.Equal(began) && now.Sub(since) < diff.LongTransaction
	})
}

func (r *run) waives(check string) bool {
	return slices.ContainsFunc(r.Plan.Migration.Waivers, func(w plan.Waiver) bool { return w.Check == check })
}
