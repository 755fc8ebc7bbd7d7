package executor_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/plan"
)

// mirrorID is the producer id of the world's mirror.
const mirrorID = 42

// mirrored lets the plan copy records. The topics have a marker and an aborted
// record, so that offsets differ on the two sides, and configs under which no
// record may be copied.
func mirrored(s *stage) {
	s.migration().Mirror = &plan.Mirror{Run: "apply", Start: "earliest"}
	s.locked(func() {
		for name, parts := range s.source.topics {
			for _, p := range parts {
				p.log = append(p.log, entry{aborted: true}, entry{marker: true})
			}
			for key, value := range map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"} {
				s.source.configs[name][key] = cluster.Config{Value: value, Source: cluster.SourceTopic}
			}
		}
	})
	s.build()
}

// copying is the mirror of one run of kplan. What it has copied it knows from
// the target's log, as a map that is written ahead would tell.
type copying struct {
	*world
	dead   func(effect bool) error
	topics map[string]bool      // under the world's lock
	silent map[string]time.Time // topic → since when nobody writes it on the source
}

// heard is up to where a mirror has read a partition on the source: what it knows
// of it ends there. It outlives the kplan that runs.
type heard map[*partition]int64

// stall is for how long the mirror does not notice that a topic is silent: it
// ends its copy later than the topic falls quiet.
const stall = 6 * time.Second

// stalled reports whether the mirror is behind, as it may be at any time. The
// world's lock is held.
func (c *copying) stalled(topic string) bool {
	for _, s := range c.services {
		if s.running[cluster.Source] && slices.ContainsFunc(s.spec.Produces, func(r plan.NamedRef) bool { return r.Name == topic }) {
			delete(c.silent, topic)
			return false
		}
	}
	since, ok := c.silent[topic]
	if !ok {
		c.silent[topic] = time.Now()
	}
	return !ok || time.Since(since) < stall
}

// wrong notes what must not be while a topic is copied.
func (c *copying) wrong(topic string) {
	configs := c.target.configs[topic]
	for key, want := range map[string]string{"cleanup.policy": "delete", "message.timestamp.type": "CreateTime", "retention.ms": "-1"} {
		if got := configs[key].Value; got != want {
			c.errors = append(c.errors, fmt.Sprintf("R15: %s is copied under %s = %s", topic, key, got))
		}
	}
}

var _ executor.Mirror = (*copying)(nil)

func (c *copying) call(op string, effect bool) error {
	c.called(op, "")
	if c.dead != nil {
		return c.dead(effect)
	}
	return nil
}

func (c *copying) Begin(_ context.Context, topics []string) error {
	if err := c.call("copy", true); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range topics {
		c.topics[t] = true
	}
	return nil
}

func (c *copying) End(_ context.Context, topics []string) error {
	if err := c.call("copy no more", true); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range topics {
		delete(c.topics, t)
	}
	return nil
}

func (c *copying) Throttle(_ context.Context, bytesPerSecond int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rates = append(c.rates, bytesPerSecond)
	return nil
}

// live copies a few records at each beat, until ctx ends.
func (c *copying) live(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(beat / 2):
			if c.dead == nil || c.dead(true) == nil {
				c.beat()
			}
		}
	}
}

func (c *copying) beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.topics {
		c.wrong(t)
		if c.stalled(t) || c.nobody {
			continue
		}
		for i, p := range c.source.topics[t] {
			if i >= len(c.target.topics[t]) {
				continue // until the target has it as well
			}
			to := c.target.topics[t][i]
			next := c.next(p, to)
			for n := range 4 {
				o, e, found := p.next(next, p.ends().LastStable)
				if !found {
					c.heard[p] = p.ends().LastStable
					break
				}
				if n == 3 {
					break
				}
				c.heard[p] = o + 1
				to.log = append(to.log, entry{key: e.key, seq: e.seq, pid: mirrorID})
				next = o + 1
			}
		}
	}
}

// next is the source offset behind the last record that is on the target.
func (c *copying) next(from, to *partition) int64 {
	at := int64(0)
	for _, e := range to.log {
		if e.pid == mirrorID {
			at++
		}
	}
	next := int64(0)
	for range at {
		o, _, found := from.next(next, from.ends().LastStable)
		if !found {
			break
		}
		next = o + 1
	}
	return next
}

func (c *copying) Lag(context.Context, []string) (executor.CopyLag, error) {
	c.mu.Lock()
	lag := executor.CopyLag{Records: 1, Text: "a little"}
	if c.lag != nil {
		lag = c.lag()
	}
	c.mu.Unlock()
	return lag, c.call("lag", false)
}

func (c *copying) Translate(_ context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]executor.CopyPlace, error) {
	if err := c.call("translate", false); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[cluster.TopicPartition]executor.CopyPlace{}
	for tp, at := range positions {
		from := c.source.part(tp)
		if c.heard[from] < at && !c.hasty {
			continue
		}
		before := int64(0)
		for next := int64(0); ; before++ {
			o, _, found := from.next(next, at)
			if !found {
				break
			}
			next = o + 1
		}
		out[tp] = executor.CopyPlace{Offset: max(0, before-c.rounded), Latest: before}
	}
	return out, nil
}

// sameLogs proves that the target begins with what the source had, record by
// record, and that only services have written behind it (R4).
func (s *stage) sameLogs(t testing.TB) {
	t.Helper()
	for _, e := range slices.Compact(s.errors) {
		t.Error(e)
	}
	for name, parts := range s.source.topics {
		for i, p := range parts {
			var want, got []entry
			for _, e := range p.log {
				if !e.marker && !e.aborted {
					want = append(want, entry{key: e.key, seq: e.seq})
				}
			}
			foreign := false
			for _, e := range s.target.topics[name][i].log {
				if e.pid == mirrorID {
					if foreign {
						t.Errorf("%s[%d]: the mirror wrote behind a service", name, i)
					}
					got = append(got, entry{key: e.key, seq: e.seq})
					continue
				}
				foreign = true
			}
			if !slices.Equal(want, got) {
				t.Errorf("%s[%d]: %d records on the source, %d of the mirror on the target, or another order", name, i, len(want), len(got))
			}
		}
	}
}
