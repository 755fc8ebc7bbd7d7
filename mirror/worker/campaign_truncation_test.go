//go:build campaign

package worker_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// unclean says whether a leader may lack records.
const unclean = "unclean.leader.election.enable"

// truncate elects, uncleanly, a leader of one partition of each source that lacks
// what was copied last, and lets its log grow beyond that: the mirror stops that
// partition, names it and where the histories part, and copies the others. Some
// processes live through it, others begin when it has happened.
func (b *realBrokers) truncate() {
	keeper, loser := b.pair[0], b.pair[1]
	b.set(b.source, unclean, "true")
	b.kill9(b.source, loser)
	b.truncatedOnes("the other one is alone in sync", func(d kadm.PartitionDetail) bool {
		return len(d.ISR) == 1 && d.ISR[0] == keeper && d.Leader == keeper
	})
	b.each(func(p *play) {
		p.write(80) // a quarter of them is going to be lost
		p.arrive()
		p.remember()
	})
	b.away.Store(true) // two of three brokers: the state takes no entry
	b.kill9(b.source, keeper)
	b.each(func(p *play) {
		if p.rand.IntN(2) == 0 {
			p.kill()
		}
	})
	b.up(b.source, loser)
	b.truncatedOnes("the one that lacks records leads", func(d kadm.PartitionDetail) bool { return d.Leader == loser })
	b.up(b.source, keeper)
	b.away.Store(false)
	b.each(func(p *play) { p.write(400) })
	b.whole(b.source)
	b.set(b.source, unclean, "false")
	b.each(func(p *play) {
		p.arrive()
		p.parted()
	})
}

// truncatedOnes waits for the partitions that this is about.
func (b *realBrokers) truncatedOnes(what string, holds func(kadm.PartitionDetail) bool) {
	b.until(what, b.source, func(d kadm.PartitionDetail) bool {
		return d.Partition != truncated || !slices.ContainsFunc(b.plays, func(p *play) bool { return p.topic == d.Topic }) || holds(d)
	})
}

// remember takes what the source has, before another history begins there.
func (p *play) remember() {
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	there, err := p.contents(ctx, p.source, truncated)
	p.mu.Lock()
	if err == nil {
		for offset, r := range there {
			p.ever[truncated][offset] = r.text
		}
	}
	p.over[truncated] = true
	p.mu.Unlock()
	if err != nil {
		p.wrong("reading the source: %v", err)
	}
}

// partsWithin is for a truncation to be found out once all brokers are back.
const partsWithin = 90 * time.Second

// parted waits until the mirror has named the partition.
func (p *play) parted() {
	limit := time.After(partsWithin)
	for p.sound() {
		p.mu.Lock()
		why := ""
		for _, m := range p.members {
			why += m.stopped()[truncated]
		}
		p.mu.Unlock()
		if strings.Contains(why, fmt.Sprintf("%s[%d]: the source's log was truncated at offset ", p.topic, truncated)) {
			return
		}
		select {
		case <-limit:
			p.wrong("partition %d of the source was truncated, and nobody says so but %q; the mirror says: %s", truncated, why, p.say())
		case <-time.After(again):
		}
	}
}
