package executor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// stage is a world with a plan, a graph and a journal, in a bubble.
type stage struct {
	*world
	t       *testing.T
	plan    *plan.Plan
	graph   *graph.Graph
	journal *memory
	inbox   *mailbox
	stop    context.CancelFunc // ends the services
	ended   chan struct{}

	leaveOut executor.Safeguard
	part     graph.Part
	waits    bool
	who      string
	rest     []string // topics that no service uses
	fence    executor.Fence
	events   []executor.Event
	onEvent  func(executor.Event)
}

// service parses "name: in in (group) -> out out"; "name User:x: ..." has a
// principal.
func service(t testing.TB, text string) *plan.Service {
	t.Helper()
	refs := func(text string) []plan.NamedRef {
		var all []plan.NamedRef
		for _, n := range strings.Fields(text) {
			all = append(all, plan.NamedRef{Name: n})
		}
		return all
	}
	name, rest, _ := strings.Cut(text, ": ")
	name, principal, _ := strings.Cut(name, " ")
	in, out, _ := strings.Cut(rest, "->")
	topics, groups, _ := strings.Cut(in, "(")
	return &plan.Service{
		Name: strings.TrimSpace(name), Consumes: refs(topics), Produces: refs(out), Principals: refs(principal),
		Groups: refs(strings.Trim(strings.TrimSpace(groups), ")")),
		Switch: plan.Switch{Exec: &plan.ExecSwitch{Timeout: 20 * time.Second}},
	}
}

// inBubble runs a test with time of its own.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

// set builds the stage with all services on the source.
func set(t *testing.T, scheme plan.SchemeKind, services ...string) *stage {
	t.Helper()
	all, err := plan.NewPattern("*", hcl.Range{})
	if err != nil {
		t.Fatal(err)
	}
	m := &plan.Migration{
		Name:   "orders",
		Scheme: plan.Scheme{Kind: scheme, DrainTimeout: 10 * time.Minute, QuietFor: 2 * time.Second, QuietStated: true, Fence: "none"},
		Topics: plan.Topics{Include: []plan.Pattern{all}, Parity: plan.Parity{Existing: "report"}},
		Groups: plan.Groups{Include: []plan.Pattern{all}},
		Source: &plan.Cluster{Name: "old", Listener: plan.Listener{Bootstrap: []string{"a.old:9092"}}},
		Target: &plan.Cluster{Name: "new", Listener: plan.Listener{Bootstrap: []string{"a.new:9092"}}},
	}
	s := &stage{world: newWorld(), t: t, plan: &plan.Plan{Migration: m}, journal: &memory{}, inbox: &mailbox{}, ended: make(chan struct{})}
	topics := map[string]bool{}
	for _, text := range services {
		spec := service(t, text)
		m.Services = append(m.Services, spec)
		s.services = append(s.services, &worker{
			spec: spec, running: map[cluster.Side]bool{}, leaves: map[cluster.Side]time.Time{},
			broken: map[cluster.Side]bool{}, deaf: map[cluster.Side]bool{},
		})
		for _, r := range append(slices.Clone(spec.Produces), spec.Consumes...) {
			if !topics[r.Name] {
				topics[r.Name] = true
				s.source.create(r.Name, 2)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	for _, w := range s.services {
		s.enter(w, cluster.Source)
	}
	go func() { defer close(s.ended); s.live(ctx) }()
	t.Cleanup(s.end)
	s.build()
	return s
}

func (s *stage) end() {
	s.stop()
	<-s.ended
}

func (s *stage) migration() *plan.Migration { return s.plan.Migration }

// build makes the graph, after changes to the plan.
func (s *stage) build() {
	s.t.Helper()
	topics, groups := slices.Clone(s.rest), []string{}
	seen := map[string]bool{}
	for _, svc := range s.migration().Services {
		for _, r := range append(slices.Clone(svc.Produces), svc.Consumes...) {
			topics = append(topics, r.Name)
		}
		for _, g := range svc.Groups {
			if !seen[g.Name] {
				seen[g.Name] = true
				groups = append(groups, g.Name)
			}
		}
	}
	slices.Sort(topics)
	slices.Sort(groups)
	sel := graph.Selection{Topics: slices.Compact(topics), Groups: groups}
	access := graph.Select(s.migration(), cluster.Snapshot{Access: cluster.Access{ACLs: s.source.rules.all, Quotas: s.source.clients.quotas}})
	sel.Principals, sel.Quotas = access.Principals, access.Quotas
	g, diags := graph.Build(s.migration(), sel, graph.Sides{}, graph.Everywhere(s.migration(), sel, cluster.Target))
	if diags.HasErrors() {
		s.t.Fatal(diags)
	}
	s.graph = g
}

// apply is one run of kplan.
func (s *stage) apply() executor.Result { return s.applyIn(context.Background(), s.journal, nil) }

func (s *stage) applyIn(ctx context.Context, j executor.Journal, dead func(effect bool) error) executor.Result {
	e := &executor.Engine{
		Plan: s.plan, Graph: s.graph, Part: s.part, RunID: "r",
		Source:   &view{w: s.world, side: cluster.Source, dead: dead},
		Target:   &view{w: s.world, side: cluster.Target, dead: dead},
		Switches: map[string]executor.Switch{}, Journal: j, State: s.journal.fold(),
		Inbox: s.inbox, Clock: executor.WallClock{}, Waits: s.waits, Who: s.who, Fence: s.fence, LeaveOut: s.leaveOut,
		Emit: func(e executor.Event) {
			s.events = append(s.events, e)
			if s.onEvent != nil {
				s.onEvent(e)
			}
		},
	}
	s.locked(func() {
		e.Seen = map[string]int{}
		for name, parts := range s.source.topics {
			e.Seen[name] = len(parts)
		}
	})
	for _, w := range s.services {
		if w.spec.Switch.Exec != nil {
			e.Switches[w.spec.Name] = &programs{world: s.world, s: w, dead: dead}
		}
	}
	if s.migration().Mirror != nil {
		m := &copying{world: s.world, dead: dead, topics: map[string]bool{}, silent: map[string]time.Time{}}
		e.Mirror = m
		s.locked(func() { s.mirror = m })
		copyCtx, stop := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() { defer close(over); m.live(copyCtx) }()
		defer func() {
			stop()
			<-over
			s.locked(func() { s.mirror = nil })
		}()
	}
	return e.Run(ctx)
}

// mustApply applies and expects that everything passes.
func (s *stage) mustApply() {
	s.t.Helper()
	if r := s.apply(); r.Err != nil || r.Done != r.Total {
		s.t.Fatalf("apply: %d of %d steps, %v, stranded %v, parked %v", r.Done, r.Total, r.Err, r.Stranded, r.Parked)
	}
}

// finish stops the writers, lets the readers read on, and proves.
func (s *stage) finish(ordered bool) {
	s.t.Helper()
	s.mu.Lock()
	for _, w := range s.services {
		if len(w.spec.Consumes) == 0 {
			w.idle = true
		}
	}
	s.mu.Unlock()
	time.Sleep(time.Minute) // in the bubble: until nothing is left to read
	s.end()
	s.prove(s.t, ordered)
}

func (s *stage) worker(name string) *worker { return s.find(name) }

// locked changes the world.
func (s *stage) locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *stage) where(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sides []string
	for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
		if s.find(name).running[side] {
			sides = append(sides, side.String())
		}
	}
	return strings.Join(sides, " ")
}

// commit is where a group stands on a side.
func (s *stage) commit(side cluster.Side, group string, tp cluster.TopicPartition) (c cluster.Commit, ok bool) {
	s.locked(func() { c, ok = s.on(side).group(group).commits[tp] })
	return c, ok
}

// memory is a journal.
type memory struct {
	mu      sync.Mutex
	records []state.Record
	fail    error
	at      func(n int) // called with the number of records after each one
}

func (m *memory) Append(records ...state.Record) ([]state.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, &state.WriteError{Path: "journal", Err: m.fail}
	}
	for i := range records {
		r := &records[i]
		r.Seq, r.At = int64(len(m.records)+1), time.Now()
		m.records = append(m.records, *r)
		if m.at != nil {
			m.at(len(m.records))
		}
	}
	return records, nil
}

func (m *memory) fold() state.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state.Replay(m.records)
}

// lines writes the journal in short: one line a record.
func (m *memory) lines() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, r := range m.records {
		switch {
		case r.Step != nil:
			out = append(out, fmt.Sprintf("%s %s", r.Step.Address, r.Step.Status))
		case r.Side != nil:
			out = append(out, fmt.Sprintf("side %s%s %s %d", r.Side.Topic, r.Side.Group, r.Side.Side, r.Side.Epoch))
		case r.Override != nil && r.Override.Restored:
			out = append(out, "override "+r.Override.Topic+" restored")
		case r.Override != nil:
			out = append(out, "override "+r.Override.Topic)
		case r.Fence != nil:
			out = append(out, fmt.Sprintf("fence %s deny %d allow %d lifted %v", r.Fence.Topic, len(r.Fence.Deny), len(r.Fence.Allow), r.Fence.Lifted))
		case r.Owned != nil:
			out = append(out, "owned "+r.Owned.Topic)
		case r.Answer != nil:
			out = append(out, fmt.Sprintf("%s %s %s", r.Answer.Verb, r.Answer.Address, r.Answer.Standing))
		}
	}
	return out
}

// mailbox is an inbox.
type mailbox struct {
	mu       sync.Mutex
	requests []state.Request
	fail     error
	// beforeTake is told of a request that is about to be taken.
	beforeTake func(state.Request)
}

// put leaves a request and returns its id.
func (m *mailbox) put(r state.Request) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.ID = fmt.Sprintf("r%d", len(m.requests)+1)
	if r.At.IsZero() {
		r.At = time.Now()
	}
	m.requests = append(m.requests, r)
	return r.ID
}

func (m *mailbox) done(address string) {
	m.put(state.Request{Verb: state.VerbDone, Address: address, Who: "me"})
}

func (m *mailbox) Requests(context.Context) ([]state.Request, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.requests), func(r state.Request) bool { return r.Verb == "" }), m.fail
}

func (m *mailbox) change(id string, f func(*state.Request)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.requests {
		if m.requests[i].ID == id && m.requests[i].Verb != "" {
			f(&m.requests[i])
			return nil
		}
	}
	return state.ErrNoRequest
}

func (m *mailbox) Take(_ context.Context, id string) error {
	m.mu.Lock()
	i := slices.IndexFunc(m.requests, func(r state.Request) bool { return r.ID == id })
	tell, request := m.beforeTake, m.requests[max(0, i)]
	m.mu.Unlock()
	if tell != nil && i >= 0 {
		tell(request)
	}
	return m.change(id, func(r *state.Request) { r.Taken = true })
}

func (m *mailbox) Clear(_ context.Context, id string) error {
	return m.change(id, func(r *state.Request) { r.Verb = "" })
}

func (m *mailbox) withdraw(id string) error {
	var err error
	return errors.Join(m.change(id, func(r *state.Request) {
		if err = state.ErrTaken; !r.Taken {
			r.Verb, err = "", nil
		}
	}), err)
}

func as[E error](t testing.TB, err error) E {
	t.Helper()
	var want E
	if !errors.As(err, &want) {
		t.Fatalf("the error is %v, want %T", err, want)
	}
	return want
}
