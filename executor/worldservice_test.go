package executor_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/plan"
)

const (
	beat = 50 * time.Millisecond // services do their work so often
	keys = 5
)

// worker is a service of the world. It behaves well: a stop loses nothing, and
// what is handled is committed at once.
type worker struct {
	spec    *plan.Service
	running map[cluster.Side]bool
	leaves  map[cluster.Side]time.Time // told to stop, writes on until then
	linger  time.Duration              // how long a stopped instance goes on
	static  bool                       // leaves without LeaveGroup
	broken  map[cluster.Side]bool      // start fails there
	late    bool                       // ... after the instance came up
	slow    time.Duration              // how long its start takes
	deaf    map[cluster.Side]bool      // stop fails there
	idle    bool                       // produces nothing
	silent  bool                       // neither reads nor commits
	lazy    bool                       // commits nothing before it has read something
	cron    bool                       // is no member of its groups, now
}

// live runs all services until ctx ends.
func (w *world) live(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(beat):
			w.beat()
		}
	}
}

func (w *world) beat() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.services {
		for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
			if until, leaving := s.leaves[side]; leaving && !time.Now().Before(until) {
				w.exit(s, side)
			}
			if s.running[side] {
				w.work(s, side)
			}
		}
	}
}

// exit ends an instance; a static member stays in its group.
func (w *world) exit(s *worker, side cluster.Side) {
	delete(s.leaves, side)
	delete(s.running, side)
	if s.static && side == cluster.Source {
		return
	}
	for _, g := range s.spec.Groups {
		st := w.on(side).group(g.Name)
		st.members = slices.DeleteFunc(st.members, func(m cluster.Member) bool { return m.ClientID == s.spec.Name })
		w.assign(side, g.Name)
	}
}

func (w *world) enter(s *worker, side cluster.Side) {
	delete(s.leaves, side)
	if s.running[side] {
		return
	}
	s.running[side] = true
	if s.cron {
		return
	}
	for _, g := range s.spec.Groups {
		st := w.on(side).group(g.Name)
		m := cluster.Member{ID: s.spec.Name + "-" + side.String(), ClientID: s.spec.Name, Host: "/10.0.0.1"}
		if s.static {
			m.InstanceID = s.spec.Name + "-0"
		}
		st.members = slices.DeleteFunc(st.members, func(x cluster.Member) bool { return x.ID == m.ID })
		st.members = append(st.members, m)
		w.assign(side, g.Name)
	}
}

// assign gives every partition to the group's first member that reads it.
func (w *world) assign(side cluster.Side, group string) {
	st := w.on(side).group(group)
	for i := range st.members {
		st.members[i].Assigned = nil
	}
	taken := map[cluster.TopicPartition]bool{}
	for i := range st.members {
		s := w.find(st.members[i].ClientID)
		if s == nil {
			continue
		}
		for _, t := range s.spec.Consumes {
			for p := range w.on(side).topics[t.Name] {
				tp := cluster.TopicPartition{Topic: t.Name, Partition: int32(p)}
				if !taken[tp] {
					taken[tp] = true
					st.members[i].Assigned = append(st.members[i].Assigned, tp)
					if _, ok := st.commits[tp]; !ok && !s.lazy {
						st.commits[tp] = cluster.Commit{Offset: w.beginning(side, tp)}
					}
				}
			}
		}
	}
}

func (w *world) find(name string) *worker {
	for _, s := range w.services {
		if s.spec.Name == name {
			return s
		}
	}
	return nil
}

// work is one beat of one instance: producers write a record, readers handle
// what is there, processors write one record for each that they read.
func (w *world) work(s *worker, side cluster.Side) {
	if len(s.spec.Consumes) == 0 {
		if !s.idle {
			for _, t := range s.spec.Produces {
				if !w.mayWrite(s, side, t.Name) {
					continue
				}
				w.produce(side, t.Name, int(time.Now().UnixNano()/int64(beat))%keys)
			}
		}
		return
	}
	if s.silent {
		return
	}
	for _, g := range s.spec.Groups {
		for _, m := range w.on(side).group(g.Name).members {
			if m.ID != s.spec.Name+"-"+side.String() {
				continue
			}
			for _, tp := range m.Assigned {
				w.read(s, side, g.Name, tp)
			}
		}
	}
}

func (w *world) read(s *worker, side cluster.Side, group string, tp cluster.TopicPartition) {
	st, p := w.on(side).group(group), w.on(side).part(tp)
	pos, ok := st.commits[tp]
	if !ok {
		pos.Offset = w.beginning(side, tp)
	}
	for range 3 { // a backlog takes several beats
		o, e, found := p.next(pos.Offset, p.ends().LastStable)
		if !found {
			break
		}
		pos.Offset = o + 1 // below a trailing marker, as many clients commit
		name := group + "/" + tp.Topic
		w.handled[name] = append(w.handled[name], handledRec{key: e.key, seq: e.seq, side: side})
		w.forward(s, side, tp.Topic, e)
	}
	if s.lazy && !ok && len(w.handled[group+"/"+tp.Topic]) == 0 {
		return
	}
	pos.Metadata = "m-" + group
	st.commits[tp] = pos
}

// beginning is what auto.offset.reset says.
func (w *world) beginning(side cluster.Side, tp cluster.TopicPartition) int64 {
	if e := w.on(side).part(tp).ends(); w.reset == "earliest" {
		return e.LogStart
	} else {
		return e.LastStable
	}
}

// forward writes what a processor makes of a record. With a topic of its own
// (inner), records go through that one first.
func (w *world) forward(s *worker, side cluster.Side, from string, e entry) {
	inner := ""
	for _, t := range s.spec.Produces {
		if reads(s.spec, t.Name) {
			inner = t.Name
		}
	}
	if inner != "" && from != inner {
		w.produce(side, inner, e.key)
		return
	}
	for _, t := range s.spec.Produces {
		if t.Name != inner {
			w.append(side, t.Name, entry{key: e.key, seq: e.seq, pid: 9})
		}
	}
}

func reads(s *plan.Service, topic string) bool {
	return slices.ContainsFunc(s.Consumes, func(r plan.NamedRef) bool { return r.Name == topic })
}

func (w *world) produce(side cluster.Side, topic string, key int) {
	id := fmt.Sprintf("%s/%d", topic, key)
	w.seqs[id]++
	w.append(side, topic, entry{key: key, seq: w.seqs[id], pid: 7})
}

func (w *world) append(side cluster.Side, topic string, e entry) {
	ps := w.on(side).topics[topic]
	p := ps[e.key%len(ps)]
	if side == cluster.Target && w.mirror != nil && w.mirror.topics[topic] {
		w.errors = append(w.errors, "R1: a service and the mirror write to "+topic+" on the target")
	}
	p.log = append(p.log, e)
}

// programs is the switch of one service.
type programs struct {
	*world
	s    *worker
	dead func(effect bool) error
}

func (p *programs) begin(op string, effect bool) error {
	p.called(op, p.s.spec.Name)
	if p.dead != nil {
		return p.dead(effect)
	}
	return nil
}

func (p *programs) Stop(_ context.Context, side cluster.Side, _ string) error {
	if err := p.begin("stop on "+side.String(), true); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.s.deaf[side] {
		return fmt.Errorf("%s does not stop on the %s", p.s.spec.Name, side)
	}
	if !p.s.running[side] {
		return nil
	}
	if p.s.linger == 0 {
		p.exit(p.s, side)
		return nil
	}
	p.s.leaves[side] = time.Now().Add(p.s.linger)
	return nil
}

func (p *programs) Start(_ context.Context, side cluster.Side, _ string) error {
	if err := p.begin("start on "+side.String(), true); err != nil {
		return err
	}
	time.Sleep(p.s.slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.s.broken[side] {
		if p.s.late {
			p.enter(p.s, side)
		}
		return fmt.Errorf("%s does not start on the %s", p.s.spec.Name, side)
	}
	p.enter(p.s, side)
	return nil
}

func (p *programs) Check(context.Context, string) ([]cluster.Side, error) {
	if err := p.begin("check", false); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var sides []cluster.Side
	for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
		if p.s.running[side] {
			sides = append(sides, side)
		}
	}
	return sides, nil
}

// prove compares what was written with what every group handled. ordered says
// whether order holds across the clusters as well.
func (w *world) prove(t testing.TB, ordered bool) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.services {
		for _, g := range s.spec.Groups {
			for _, topic := range s.spec.Consumes {
				w.proveOne(t, g.Name, topic.Name, ordered)
			}
		}
	}
}

func (w *world) proveOne(t testing.TB, group, topic string, ordered bool) {
	t.Helper()
	type id struct{ key, seq int }
	written := map[id]int{}
	for _, side := range []*logs{w.source, w.target} {
		for _, p := range side.topics[topic] {
			for _, e := range p.log {
				if !e.marker && !e.aborted && e.pid != mirrorID {
					written[id{e.key, e.seq}]++
				}
			}
		}
	}
	seen, last := map[id]int{}, map[string]int{}
	for _, h := range w.handled[group+"/"+topic] {
		seen[id{h.key, h.seq}]++
		stream := fmt.Sprint(h.key)
		if !ordered {
			stream += h.side.String()
		}
		if h.seq <= last[stream] {
			t.Errorf("%s/%s: key %d sequence %d came after %d on the %s", group, topic, h.key, h.seq, last[stream], h.side)
		}
		last[stream] = h.seq
	}
	for r, n := range written {
		if n != 1 {
			t.Errorf("%s: record %v was written %d times", topic, r, n)
		}
		if seen[r] != 1 {
			t.Errorf("%s/%s: record %v was handled %d times", group, topic, r, seen[r])
		}
	}
	if len(written) == 0 {
		t.Errorf("%s: nothing was written, the proof says nothing", topic)
	}
}
