package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// DefaultPoll is how often waiting steps look.
const DefaultPoll = 200 * time.Millisecond

// Engine carries a graph out. Its fields are set once, before Run.
type Engine struct {
	Plan     *plan.Plan
	Graph    *graph.Graph
	Part     graph.Part // the steps that are to be carried out this time; nil: all of them
	Source   Cluster
	Target   Cluster
	Mirror   Mirror            // nil: the plan has none
	Switches map[string]Switch // by service; services with a manual switch have none
	Journal  Journal
	State    state.State // the fold of the journal at the start
	RunID    string
	Defaults map[string]cluster.Config // of topics on the target, as the diff saw them
	Seen     map[string]int            // partitions of topics on the source, as the diff saw them
	Capped   bool                      // the target's brokers want no more replicas in sync than there are
	Inbox    Inbox
	Clock    Clock
	Poll     time.Duration
	Emit     func(Event)                 // called from one goroutine at a time
	Waits    bool                        // somebody watches: wait for people instead of parking
	Who      string                      // who runs it
	Fence    Fence                       // nil: nobody else can hold the lock
	Command  func(args ...string) string // what a person types to run kplan with these arguments
	// LeaveOut is for negative controls: the demo and the tests leave a
	// safeguard out to see that records are then lost or repeated.
	LeaveOut Safeguard
}

// Safeguard is something that a negative control leaves out.
type Safeguard string

// The safeguards that can be left out.
const (
	Placement Safeguard = "skip-placement"     // R9
	DrainWait Safeguard = "start-before-drain" // R7
	Quiet     Safeguard = "no-quiet"           // R6
	ShutOut   Safeguard = "no-fence"           // R8
)

// ErrInterrupted is the cause with which the caller cancels the context of Run
// at the first signal.
var ErrInterrupted = errors.New("interrupted")

// Result says how a run ended.
type Result struct {
	Done     int
	Total    int
	Parked   []StepParked
	Failed   []StepFailed
	Restored []string         // services put back to the source (R13)
	Stranded []*StrandedError // services that run nowhere (exit 8)
	Stopped  []string         // services that are stopped, on purpose, at the end of an interrupted or parked run
	Held     []string         // topics whose retention is held on the target (R16)
	Fences   []state.Fence    // that stand on the source (R8), by topic
	Paused   *state.Answer    // by whom, when nothing was begun because of that
	Err      error            // the first failure, or ErrInterrupted
}

// run is one call of Run.
type run struct {
	*Engine
	mu      sync.Mutex // guards state and started
	state   state.State
	started map[string]time.Time
	emitMu  sync.Mutex
	desk    *desk
	parked  atomic.Bool // a step has parked
	hash    string      // of the plan
	end     func(error) // ends the run: nothing new is begun
}

// Run carries out what the journal does not show as done. When ctx is
// cancelled with ErrInterrupted it begins nothing new, brings what is in
// flight to a safe end and returns.
func (e *Engine) Run(ctx context.Context) Result {
	r := &run{Engine: e, state: e.State, started: map[string]time.Time{}, hash: e.Plan.Hash()}
	r.desk = &desk{r: r, changed: make(chan struct{}, 1)}
	if r.Poll == 0 {
		r.Poll = DefaultPoll
	}
	r.guard()
	runCtx, stop := context.WithCancelCause(ctx)
	r.end = stop
	defer stop(nil)
	result := Result{Total: len(e.Graph.Steps)}
	// What people ask comes first: nothing is done before it is known, not even a
	// restore.
	err := r.desk.open(runCtx, r.end)
	if by := r.pausedBy(); err != nil || by != nil && !r.Waits {
		result.Err, result.Paused, result.Stopped = err, by, names(r.stopped())
		r.count(&result, nil)
		return r.held(result)
	}
	if result.Err = r.begin(runCtx); result.Err == nil {
		r.desk.begin(r.pausedBy() != nil)
		lost := r.watchFence(runCtx)
		asked := r.desk.watch(runCtx, stop)
		held := r.watchThrottle(runCtx)
		watch, watched := r.watchStragglers(runCtx)
		result = r.walk(runCtx, watch)
		stop(nil)
		<-watched // nobody asks a cluster or emits an event after Run
		<-asked
		<-held
		<-lost
	}
	stop(nil)
	r.settle(ctx, &result)
	return r.held(result)
}

// held adds what is held on the target, and what stands on the source.
func (r *run) held(result Result) Result {
	result.Held = slices.Sorted(maps.Keys(r.state.Overrides))
	result.Fences = Fences(r.state)
	return result
}

// begin ends what an earlier run was cut off in, and refuses to go on from what
// it cannot know.
func (r *run) begin(ctx context.Context) error {
	if err := r.finishRestores(ctx); err != nil {
		return err
	}
	if err := r.foreign(ctx); err != nil {
		return err
	}
	r.copyMore()
	r.decideRepeats()
	return r.goOnCopying(ctx)
}

// decideRepeats turns facts of the moment back into questions: a step that
// measured something is done again as long as a step that relies on it has not
// passed (R4, R6, R7). What relies on something that has to be done again has
// not passed either, hence from the end of the graph to its beginning.
func (r *run) decideRepeats() {
	for _, s := range slices.Backward(r.Graph.Steps) {
		passedFor := s.Kind == graph.Gate || s.Kind == graph.CaughtUp // what must not be stopped yet
		if !ofTheMoment(s.Kind) || r.status(s.Address) != state.Done || passedFor && r.entered(s) {
			continue
		}
		for _, d := range r.Graph.Dependents(s.Address) {
			if r.status(d) != state.Done {
				r.again(s.Address)
				break
			}
		}
	}
}

// again makes a step that has passed one that is still to be done.
func (r *run) again(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.state.Steps[address]
	st.Status = state.Pending
	r.state.Steps[address] = st
}

// entered reports whether a step behind a gate, or behind a look whether the
// copy has caught up, has begun. Then it stays open: it must not keep kplan from
// finishing what stands half done there.
func (r *run) entered(gate *graph.Step) bool {
	for _, d := range r.guarded(gate) {
		s := r.status(d)
		if next := r.Graph.Step(d); next.Kind == graph.CaughtUp || next.Kind == graph.Stop && !r.told(next.Service) && s != state.Parked {
			continue // nothing stands still yet
		}
		if s != state.Pending && s != state.Reset {
			return true
		}
	}
	return false
}

// guarded returns the steps that wait for a step. A look whether the copy has
// caught up stops nobody: a gate before one also guards what comes behind that.
func (r *run) guarded(s *graph.Step) []string {
	all := r.Graph.Dependents(s.Address)
	if s.Kind != graph.Gate && s.Kind != graph.CaughtUp {
		return all
	}
	for _, d := range slices.Clone(all) {
		if !r.isLook(d) {
			continue
		}
		for _, next := range r.Graph.Dependents(d) {
			if !slices.Contains(all, next) {
				all = append(all, next)
			}
		}
	}
	return all
}

func (r *run) isLook(address string) bool {
	s := r.Graph.Step(address)
	return s != nil && s.Kind == graph.CaughtUp
}

// pausedBy returns the request that keeps the run from beginning anything.
func (r *run) pausedBy() *state.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Paused
}

// command is what a person types to run kplan with these arguments.
func (r *run) command(args ...string) string {
	if r.Command == nil {
		return cluster.CommandLine(append([]string{"kplan"}, args...)...)
	}
	return r.Command(args...)
}

func (r *run) status(address string) state.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Steps[address].Status
}

// record journals and folds.
func (r *run) record(records ...state.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range records {
		records[i].Run = r.RunID
	}
	written, err := r.Journal.Append(records...)
	if err != nil {
		return err
	}
	for _, rec := range written {
		r.state.Apply(rec)
	}
	return nil
}

// mark journals a step's status.
func (r *run) mark(s *graph.Step, status state.Status, facts any, cause error) error {
	raw, err := encode(facts)
	if err != nil {
		return err
	}
	r.mu.Lock()
	attempt := r.state.Steps[s.Address].Attempt
	r.mu.Unlock()
	rec := state.Step{Address: s.Address, Attempt: attempt, Status: status, Facts: raw}
	if cause != nil {
		rec.Error = cause.Error()
	}
	return r.record(state.Record{Step: &rec})
}

// flip records a new writing side of a topic or owning side of a group, unless
// it is the side already (R1).
func (r *run) flip(topic, group string, to cluster.Side) error {
	r.mu.Lock()
	side, epoch := r.state.TopicSide(topic), r.state.Topics[topic].Epoch
	if topic == "" { // a group may have the empty name
		side, epoch = r.state.GroupSide(group), r.state.Groups[group].Epoch
	}
	r.mu.Unlock()
	if side == to {
		return nil
	}
	return r.record(state.Record{Side: &state.SideFlip{Topic: topic, Group: group, Side: to, Epoch: epoch + 1}})
}

func (r *run) emit(e Event) {
	if r.Emit == nil {
		return
	}
	r.emitMu.Lock()
	defer r.emitMu.Unlock()
	r.Emit(e)
}

// on returns the cluster of a side.
func (r *run) on(side cluster.Side) Cluster {
	if side == cluster.Target {
		return r.Target
	}
	return r.Source
}

// tick waits for the next look, or returns the cause when ctx ends.
func (r *run) tick(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-r.Clock.After(r.Poll):
		return nil
	}
}

// progress tells how far a step is.
func (r *run) progress(s *graph.Step, p StepProgress) {
	r.mu.Lock()
	since := r.started[s.Address]
	r.mu.Unlock()
	p.Step, p.Since = s, r.Clock.Now().Sub(since)
	r.emit(p)
}

func plural(n int, one string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}
