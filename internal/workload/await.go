package workload

import (
	"context"
	"fmt"

	"kplan/internal/cluster"
)

// AwaitConsumed waits until every group has received every record that any
// ledger says was acknowledged, for the flow "stop the producers, wait, stop the
// rest, prove". When ctx ends first, the error says what is missing, and it wraps
// the context's error.
func AwaitConsumed(ctx context.Context, dir string) error {
	all, err := ReadServices(dir)
	if err != nil {
		return err
	}
	a := newAudit(dir, all)
	for {
		missing, where, err := a.missing()
		if err != nil {
			return err
		}
		if missing == 0 {
			return nil
		}
		if err := wait(ctx, flushEvery/2); err != nil {
			return fmt.Errorf("waiting until everything is consumed: %d records are missing, the first in %s: %w", missing, where, err)
		}
	}
}

// audit follows growing ledgers. It knows nothing of order, so that it may read
// them one after the other; that is sound because a processor's output stands
// before its input in its ledger.
type audit struct {
	services Services
	ledgers  map[instanceKey]*ledgerReader
	produced map[string]map[string]seqSet    // topic, key
	seen     map[readerKey]map[string]seqSet // key
}

type instanceKey struct {
	service string
	side    cluster.Side
}

func newAudit(dir string, all Services) *audit {
	a := &audit{
		services: all, ledgers: map[instanceKey]*ledgerReader{},
		produced: map[string]map[string]seqSet{}, seen: map[readerKey]map[string]seqSet{},
	}
	for _, svc := range all.Services {
		for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
			a.ledgers[instanceKey{svc.Name, side}] = &ledgerReader{path: ledgerFile(dir, svc.Name, side)}
		}
		for _, t := range svc.Produces {
			a.produced[t] = map[string]seqSet{}
		}
		for _, t := range svc.Consumes {
			a.seen[readerKey{t, svc.identity()}] = map[string]seqSet{}
		}
	}
	return a
}

// missing reads what is new and counts what is not consumed yet.
func (a *audit) missing() (n int64, where string, err error) {
	for _, svc := range a.services.Services {
		for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
			for e, err := range a.ledgers[instanceKey{svc.Name, side}].all() {
				if err != nil {
					return 0, "", err
				}
				a.take(svc, e)
			}
		}
	}
	for k, seen := range a.seen {
		for key, seq := range difference(a.produced[k.topic], seen) {
			if n == 0 {
				where = fmt.Sprintf("topic %s for group %s: key %s seq %d", k.topic, k.group, key, seq)
			}
			n++
		}
	}
	return n, where, nil
}

func (a *audit) take(svc Service, e entry) {
	switch e.deed {
	case acknowledged:
		if sets := a.produced[e.topic]; sets != nil {
			add(sets, e.key, e.seq)
		}
	case received:
		if sets := a.seen[readerKey{e.topic, svc.identity()}]; sets != nil && e.good {
			add(sets, e.key, e.seq)
		}
	case refused:
	}
}

// Counts are the totals so far, for showing progress.
type Counts struct {
	Produced map[string]int64            `json:"produced"` // by topic
	Received map[string]map[string]int64 `json:"received"` // by group and topic
}

// Progress follows the totals of a running work directory. It is not safe for
// concurrent use.
type Progress struct{ audit *audit }

// Follow prepares to follow the ledgers of dir.
func Follow(dir string) (*Progress, error) {
	all, err := ReadServices(dir)
	if err != nil {
		return nil, err
	}
	return &Progress{audit: newAudit(dir, all)}, nil
}

// Read reads what was written since the last call and returns the totals.
func (p *Progress) Read() (Counts, error) {

	if _, _, err := p.audit.missing(); err != nil {
		return Counts{}, err
	}
	c := Counts{Produced: map[string]int64{}, Received: map[string]map[string]int64{}}
	for topic, sets := range p.audit.produced {
		for _, s := range sets {
			c.Produced[topic] += s.count()
		}
	}
	for k, sets := range p.audit.seen {
		if c.Received[k.group] == nil {
			c.Received[k.group] = map[string]int64{}
		}
		for _, s := range sets {
			c.Received[k.group][k.topic] += s.count()
		}
	}
	return c, nil
}
