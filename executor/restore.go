package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// settle looks at what the walk has left behind. After a failure, services
// that were stopped and did not get to run on the target are put back to the
// source (R13). After an interrupt or at a park they are only named: the next
// apply goes on from there.
func (r *run) settle(ctx context.Context, result *Result) {
	stopped := r.stopped()
	var write *state.WriteError
	var lost *state.LeaseLostError
	if errors.As(result.Err, &write) && r.Fence != nil && errors.As(r.Fence.Check(), &lost) {
		result.Err = lost // why it could not be written, too
	}
	if result.Err == nil || errors.Is(result.Err, ErrInterrupted) || errors.As(result.Err, &lost) {
		result.Stopped = names(stopped) // whoever holds the lock now goes on with them
		return
	}
	if errors.As(result.Err, &write) {
		// Nothing may be done that cannot be recorded: not even this.
		for _, s := range stopped {
			result.Stranded = append(result.Stranded, &StrandedError{Service: s.Name, Reason: "its restore cannot be recorded", Lift: r.liftCommands(s), Cause: result.Err})
		}
		return
	}
	ctx = context.WithoutCancel(ctx)
	for _, s := range r.failedStarts() {
		if !slices.Contains(stopped, s) {
			stopped = append(stopped, s)
		}
	}
	for _, s := range stopped {
		r.emit(Restoring{Service: s.Name})
		if err := r.restore(ctx, s); err != nil {
			var stranded *StrandedError
			if !errors.As(err, &stranded) {
				stranded = &StrandedError{Service: s.Name, Reason: err.Error(), Cause: err}
			}
			stranded.Lift = r.liftCommands(s)
			result.Stranded = append(result.Stranded, stranded)
			continue
		}
		result.Restored = append(result.Restored, s.Name)
		r.emit(Restored{Service: s.Name})
	}
}

func names(services []*plan.Service) []string {
	var out []string
	for _, s := range services {
		out = append(out, s.Name)
	}
	return out
}

// stopped returns the services that were told to stop on the source and are
// not known to run on the target.
func (r *run) stopped() []*plan.Service {
	var out []*plan.Service
	for _, s := range r.Plan.Migration.Services {
		if r.told(s.Name) && r.status(startOf(s.Name)) != state.Done {
			out = append(out, s)
		}
	}
	return out
}

// Stopped returns the services that the journal shows as told to stop on the
// source and not known to run on the target, sorted, also such as the plan no
// longer has. Nobody but an apply starts them.
func Stopped(st state.State) []string {
	var out []string
	for address, step := range st.Steps {
		service, ok := graph.StoppedService(address)
		if ok && told(step) && st.Steps[startOf(service)].Status != state.Done {
			out = append(out, service)
		}
	}
	slices.Sort(out)
	return out
}

// failedStarts returns services whose start on the target failed while they
// still run on the source (production_later).
func (r *run) failedStarts() []*plan.Service {
	var out []*plan.Service
	for _, s := range r.Plan.Migration.Services {
		if r.status(startOf(s.Name)) == state.Failed {
			out = append(out, s)
		}
	}
	return out
}

// told reports whether a stop has come so far that the service may be stopped:
// its facts are written just before, behind the last look at what the service
// needs.
func told(stop state.StepState) bool { return began(stop.Status) && stop.Facts != nil }

func (r *run) told(service string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return told(r.state.Steps[stopOf(service)])
}

func began(s state.Status) bool {
	switch s {
	case state.Running, state.Done, state.Failed:
		return true
	case state.Pending, state.Parked, state.Reset:
		return false
	}
	return false
}

// restore puts one service back (R13): stopped on the target, nothing written
// there, sides back, the source's fence lifted, started there, its steps to be
// done again.
func (r *run) restore(ctx context.Context, service *plan.Service) error {
	if service.Switch.Manual != nil {
		return &StrandedError{Service: service.Name, Reason: "a person stopped it and a person has to start it"}
	}
	if err := r.markRestore(service, state.Running); err != nil {
		return err
	}
	stopped := r.told(service.Name)
	if err := r.mayRestore(ctx, service, stopped); err != nil {
		return errors.Join(err, r.markRestore(service, state.Failed)) // as it was: the next apply goes on
	}
	if stopped {
		// From here on the restore stays "running" until it is done: the next run
		// cannot know where the service is and begins with it anew.
		if err := r.flipBack(service); err != nil {
			return err
		}
		if err := r.lift(ctx, service); err != nil {
			return err
		}
		if err := r.start(ctx, service, cluster.Source, restoreOf(service.Name)); err != nil {
			return fmt.Errorf("starting it on the source again: %w", err)
		}
	}
	if err := r.reset(ctx, service, stopped); err != nil {
		return err
	}
	return r.markRestore(service, state.Done)
}

func restoreOf(service string) string { return graph.ServiceAddress(service, "restore") }

func (r *run) markRestore(service *plan.Service, status state.Status) error {
	step := restoreOf(service.Name)
	r.mu.Lock()
	attempt := r.state.Steps[step].Attempt
	r.mu.Unlock()
	if status == state.Running {
		attempt++
	}
	return r.record(state.Record{Step: &state.Step{Address: step, Attempt: attempt, Status: status}})
}

// mayRestore makes sure that the service can go back: it is stopped on the
// target, no service of its wave has moved, and nothing is written there.
func (r *run) mayRestore(ctx context.Context, service *plan.Service, stopped bool) error {
	if began(r.status(startOf(service.Name))) {
		if err := r.stop(ctx, service, cluster.Target, restoreOf(service.Name)); err != nil {
			return fmt.Errorf("stopping it on the target again: %w", err)
		}
	}
	if !stopped {
		return nil
	}
	if mate := r.movedMate(service.Name); mate != "" {
		return &StrandedError{Service: service.Name, Reason: fmt.Sprintf("service %q, which moves together with it, runs on the target already, and one topic or group must not be used on both sides (R1)", mate)}
	}
	return r.nothingWritten(ctx, service)
}

// movedMate returns a service of the same wave that has left the source and
// runs on the target, or "". Back on the source, this service would write a
// topic or read with a group that the mate uses on the target.
func (r *run) movedMate(service string) string {
	for _, w := range r.Graph.Waves {
		if !slices.Contains(w.Services, service) {
			continue
		}
		for _, mate := range w.Services {
			if mate != service && r.status(stopOf(mate)) == state.Done && r.status(startOf(mate)) == state.Done {
				return mate
			}
		}
	}
	return ""
}

// finishRestores takes up restores that were cut off: it is not known whether
// the service runs on the source, so all of its steps are done again, from the
// stop on.
func (r *run) finishRestores(ctx context.Context) error {
	for _, s := range r.Plan.Migration.Services {
		if err := r.takenBack(ctx, s); err != nil {
			return err
		}
		if r.status(restoreOf(s.Name)) != state.Running {
			continue
		}
		// Reset: the restore was cut off while it marked the steps.
		stop, stopped := r.Graph.Step(stopOf(s.Name)), r.status(stopOf(s.Name)) != state.Pending
		if began(r.status(startOf(s.Name))) {
			if err := r.stop(ctx, s, cluster.Target, restoreOf(s.Name)); err != nil {
				return fmt.Errorf("stopping service %q on the target, as its restore began to: %w", s.Name, err)
			}
		}
		if stopped { // it may be running there, and its writes be refused
			if err := r.lift(ctx, s); err != nil {
				return err
			}
		}
		var facts stopFacts // that nothing is known of it is no zero: the reset may have been done
		if stopped && r.hasFacts(stop.Address) {
			if err := r.decode(stop.Address, &facts); err != nil {
				return err
			}
		}
		if err := r.reset(ctx, s, stopped); err != nil {
			return err
		}
		if stopped { // it may be stopped still: should this run fail, it has to go back
			if err := r.mark(stop, state.Running, facts, nil); err != nil {
				return err
			}
		}
		if err := r.markRestore(s, state.Done); err != nil {
			return err
		}
	}
	return nil
}

// takenBack does what a restore would have done, without starting anything, for
// a service that a person has started on the source again.
func (r *run) takenBack(ctx context.Context, service *plan.Service) error {
	if r.status(restoreOf(service.Name)) != state.Failed {
		return nil
	}
	said, err := r.answered(ctx, restoreOf(service.Name))
	if err != nil || !said {
		return err
	}
	if err := r.flipBack(service); err != nil {
		return err
	}
	if err := r.lift(ctx, service); err != nil {
		return err
	}
	if err := r.reset(ctx, service, true); err != nil {
		return err
	}
	return r.markRestore(service, state.Done)
}

// foreign refuses services that run on the target although this state has not
// started them: without its holds, groups would be placed behind what they have
// written.
func (r *run) foreign(ctx context.Context) error {
	for _, s := range r.Plan.Migration.Services {
		r.mu.Lock()
		attempts := r.state.Steps[startOf(s.Name)].Attempt
		r.mu.Unlock()
		if s.Switch.Exec == nil || attempts > 0 || r.Graph.Step(startOf(s.Name)) == nil {
			continue
		}
		sides, err := r.sides(ctx, s.Name, startOf(s.Name))
		if err != nil {
			return err
		}
		if slices.Contains(sides, cluster.Target) {
			return &ForeignError{Service: s.Name}
		}
	}
	return nil
}

// nothingWritten refuses a restore when the target's logs have grown since the
// hold: those records would be out of reach for readers on the source.
func (r *run) nothingWritten(ctx context.Context, service *plan.Service) error {
	for _, t := range service.Produces {
		if !r.hasFacts(graph.TopicAddress(t.Name, "hold")) {
			continue // never came so far
		}
		var held holdFacts
		if err := r.decode(graph.TopicAddress(t.Name, "hold"), &held); err != nil {
			return err
		}
		ends, err := r.Target.LogEnds(ctx, []string{t.Name})
		if err != nil {
			return fmt.Errorf("looking whether anything was written on the target: %w", err)
		}
		var written []string
		for tp, e := range ends {
			if base := held.Base[tp]; e.LogEnd > base { // 0: added since the hold
				written = append(written, fmt.Sprintf("%s offsets %d to %d", tp, base, e.LogEnd-1))
			}
		}
		if len(written) > 0 {
			sort.Strings(written)
			return &StrandedError{Service: service.Name, Reason: "it cannot go back to the source without a reverse mirror", Written: written, Command: r.hint(restoreOf(service.Name))}
		}
	}
	return nil
}

func (r *run) flipBack(service *plan.Service) error {
	if err := r.flipTopics(service, cluster.Source); err != nil {
		return err
	}
	for _, g := range service.Groups {
		if err := r.flip("", g.Name, cluster.Source); err != nil {
			return err
		}
	}
	return nil
}

// reset marks the service's start, or with stopped all of its steps, and all
// that relied on them as to be done again, except what other services have
// done.
func (r *run) reset(ctx context.Context, service *plan.Service, stopped bool) error {
	affected := map[string]bool{}
	queue := []string{startOf(service.Name)}
	if stopped {
		queue = append(queue, stopOf(service.Name))
	}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		s := r.Graph.Step(address)
		if s == nil || affected[address] || s.Service != "" && s.Service != service.Name {
			continue
		}
		affected[address] = true
		queue = append(queue, r.Graph.Dependents(address)...)
	}
	for _, s := range r.Graph.Steps {
		if !affected[s.Address] || r.status(s.Address) == state.Pending {
			continue
		}
		if err := errors.Join(r.unanswered(ctx, s.Address), r.mark(s, state.Reset, nil, nil)); err != nil {
			return err
		}
	}
	return nil
}
