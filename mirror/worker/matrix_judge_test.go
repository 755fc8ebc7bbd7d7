package worker_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/mirror"
)

// written is a record of a log.
type written struct {
	text string
	time time.Time
}

// evidence is what a partition is judged by.
type evidence struct {
	ever   map[int64]string // committed to the source, by offset
	source map[int64]written
	target map[int64]written
	at     map[int64]int64 // where the map says that source offsets are on the target
}

// judge says what is wrong about a partition's copy. A compacted source may have
// lost records before they were copied, if something younger of their key was.
func (e evidence) judge(compacted bool) (found []string) {
	wrong := func(format string, args ...any) {
		if len(found) < 10 {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	taken := map[int64]int64{}
	youngest := map[string]int64{}
	for from, to := range e.at {
		if other, twice := taken[to]; twice {
			wrong("source offsets %d and %d are both at target offset %d", from, other, to)
		}
		taken[to] = from
		there := e.target[to]
		if e.ever[from] == "" || e.ever[from] != there.text {
			wrong("source offset %d had %q and has %q, and target offset %d %q", from, e.ever[from], e.source[from].text, to, there.text)
		}
		if now, known := e.source[from]; known && !now.time.Equal(there.time) {
			wrong("source offset %d is of %s, its copy at %d of %s", from, now.time, to, there.time)
		}
		k := keyIn(e.ever[from])
		if last, known := youngest[k]; !known || from > last {
			youngest[k] = from
		}
	}
	for to, r := range e.target {
		if _, known := taken[to]; !known {
			wrong("target offset %d has %q, which the map does not know", to, r.text)
		}
	}
	for from, r := range e.source {
		if _, copied := e.at[from]; !copied {
			wrong("source offset %d has %q, which was not copied", from, r.text)
		}
	}
	for from, value := range e.ever {
		last, known := youngest[keyIn(value)]
		if _, copied := e.at[from]; !copied && !(compacted && known && last > from) {
			wrong("source offset %d had %q, which was not copied, nor anything younger of its key", from, value)
		}
	}
	return append(found, e.order()...)
}

// order finds places that are not in the order of the source.
func (e evidence) order() []string {
	last := int64(-1)
	for _, from := range sorted(e.at) {
		if e.at[from] <= last {
			return []string{fmt.Sprintf("source offset %d is at target offset %d, before what comes before it", from, e.at[from])}
		}
		last = e.at[from]
	}
	return nil
}

func keyIn(line string) string {
	key, _, _ := strings.Cut(line, "=")
	return key
}

// compare judges each partition. Of one that has another history on the source by
// now, the first one counts: of the other nothing may have been copied.
func (p *play) compare() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(p.Context()), 2*time.Minute)
	defer cancel()
	copied, unproven, err := mirror.NewKeeper(p.shelf).Load(ctx, p.ids)
	if err != nil || len(unproven) > 0 {
		p.wrong("the maps cannot be read: %v, %v", unproven, err)
		return
	}
	for _, id := range p.ids {
		e := evidence{ever: p.ever[id.Number], at: map[int64]int64{}}
		if copied[id] != nil {
			for _, g := range copied[id].Segments() {
				for i := range g.Length {
					e.at[g.Source+i] = g.Target + i
				}
			}
		}
		if e.target, err = p.contents(ctx, p.target, id.Number); err != nil {
			p.wrong("reading the target: %v", err)
			continue
		}
		if !p.over[id.Number] {
			if e.source, err = p.contents(ctx, p.source, id.Number); err != nil {
				p.wrong("reading the source: %v", err)
				continue
			}
			p.complete(id.Number, e.source)
		}
		if p.spoil != nil {
			p.spoil(id.Number, &e)
		}
		for _, text := range e.judge(p.compacted) {
			p.wrong("partition %d: %s", id.Number, text)
		}
		p.copied += len(e.target)
	}
	p.Logf("%s: %d records were compared; of the source %d were compacted away, and %d writes ended without an answer; %d findings", p.name, p.copied, p.gone, p.unsure, len(p.found))
}

// complete adds what is on the source and whose writer got no answer.
func (p *play) complete(number int32, source map[int64]written) {
	there := map[int64]string{}
	for offset := range p.ever[number] {
		if _, still := source[offset]; !still {
			p.gone++
		}
	}
	for offset, r := range source {
		if noted, known := p.ever[number][offset]; known && noted != r.text {
			p.wrong("partition %d: the source had %q at offset %d, and has %q: its log is another one", number, noted, offset, r.text)
		}
		there[offset] = r.text
	}
	maps.Copy(there, p.ever[number])
	maps.Copy(p.ever[number], there)
}

// contents are the committed records of a partition, by offset.
func (p *play) contents(ctx context.Context, at []string, number int32) (map[int64]written, error) {
	cl, err := p.client(at, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {number: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, p.topic)
	if err != nil {
		return nil, err
	}
	end, _ := listed.Lookup(p.topic, number)
	if end.Err != nil {
		return nil, end.Err
	}
	all := map[int64]written{}
	for at := int64(0); at < end.Offset; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("partition %d at %d of %d: %w, %w", number, at, end.Offset, ctx.Err(), fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at = r.Offset + 1; !r.Attrs.IsControl() {
				all[r.Offset] = written{text(r), r.Timestamp}
			}
		})
	}
	return all, nil
}

func sorted(at map[int64]int64) []int64 { return slices.Sorted(maps.Keys(at)) }
