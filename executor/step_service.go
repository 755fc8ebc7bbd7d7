package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// stopService stops a service on a side and waits until its check no longer
// prints it. How many members its groups had is noted first (R10).
func stopService(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	service := r.Plan.Migration.Service(s.Service)
	if s.Side == cluster.Source {
		if err := r.samePartitions(ctx, s, topicsOfService(r, service)); err != nil {
			return nil, "", err
		}
		if err := r.writable(ctx, s, service); err != nil {
			return nil, "", err
		}
		if err := r.noLongTransactions(ctx, s, service); err != nil {
			return nil, "", err
		}
	}
	if err := r.readToTheEnd(ctx, s, service); err != nil {
		return nil, "", err
	}
	facts, err := r.countMembers(ctx, s, service)
	if err != nil {
		return nil, "", err
	}
	if err := r.mark(s, state.Running, facts, nil); err != nil {
		return nil, "", err
	}
	if s.Manual {
		err = r.person(ctx, s, instruction(service.Switch.Manual.Stop, s.Side), service.Switch.Manual.Timeout)
	} else {
		err = r.stop(ctx, service, s.Side, s.Address)
	}
	if err != nil {
		return nil, "", err
	}
	// Where a second instance ran on the target all the time (production_later),
	// the topics that it writes have changed sides only now.
	if s.Side == cluster.Source && r.status(startOf(s.Service)) == state.Done {
		if err := r.flipTopics(service, cluster.Target); err != nil {
			return nil, "", err
		}
	}
	return facts, fmt.Sprintf("%s is stopped on the %s", s.Service, s.Side), nil
}

// readToTheEnd looks once more at the positions of a service whose other instance
// runs on the target already (production_later): what its groups have not read on
// the source when it stops there, nobody reads (R7). With production_first the
// placement looks, and the service goes back.
func (r *run) readToTheEnd(ctx context.Context, s *graph.Step, service *plan.Service) error {
	if s.Side != cluster.Source || r.status(startOf(s.Service)) != state.Done || r.LeaveOut == DrainWait {
		return nil
	}
	for _, g := range service.Groups {
		drained := r.Graph.Step(graph.GroupAddress(g.Name, "drain"))
		if drained == nil {
			continue
		}
		group, err := r.Source.Group(ctx, g.Name)
		if err != nil {
			return err
		}
		if r.attempt(s.Address) > 1 && len(group.Members) == 0 { // stopped by an attempt that was cut off: it reads no more
			if err := r.readBefore(ctx, g.Name, drained.Topics, group.Commits); err != nil {
				return err
			}
			continue
		}
		look := *drained
		look.Address = s.Address
		if _, _, err := drain(ctx, r, &look); err != nil {
			return err
		}
	}
	return nil
}

func startOf(service string) string { return graph.ServiceAddress(service, "start") }
func stopOf(service string) string  { return graph.ServiceAddress(service, "stop") }

func (r *run) countMembers(ctx context.Context, s *graph.Step, service *plan.Service) (stopFacts, error) {
	facts := stopFacts{Members: map[string]int{}}
	var earlier stopFacts // of an attempt that died half way: the members may be gone by now
	if r.hasFacts(s.Address) {
		if err := r.decode(s.Address, &earlier); err != nil {
			return facts, err
		}
	}
	for _, g := range service.Groups {
		group, err := r.on(s.Side).Group(ctx, g.Name)
		if err != nil {
			return facts, err
		}
		before, counted := earlier.Members[g.Name]
		if n := max(len(group.Members), before); n > 0 || counted || !r.hasFacts(s.Address) {
			facts.Members[g.Name] = n
		}
	}
	return facts, nil
}

func (r *run) hasFacts(address string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Steps[address].Facts != nil
}

// stop runs the switch's stop to its end, whatever happens to ctx, and waits
// for the check to confirm.
func (r *run) stop(ctx context.Context, service *plan.Service, side cluster.Side, step string) error {
	ctx = context.WithoutCancel(ctx)
	end := r.meanwhile(step, fmt.Sprintf("the program that stops %s on the %s runs (%s at most)", service.Name, side, service.Switch.Exec.Timeout))
	err := r.Switches[service.Name].Stop(ctx, side, step)
	if end(); err != nil {
		return err
	}
	return r.await(ctx, service, step, fmt.Sprintf("service %q leaving the %s", service.Name, side),
		func(sides []cluster.Side) bool { return !slices.Contains(sides, side) })
}

// await waits until the service's check prints what is wanted, for as long as
// the switch's timeout.
func (r *run) await(ctx context.Context, service *plan.Service, step, what string, ok func([]cluster.Side) bool) error {
	began := r.Clock.Now()
	defer r.meanwhile(step, what+", as its check has to tell")()
	for {
		sides, err := r.sides(ctx, service.Name, step)
		if err != nil {
			return err
		}
		if ok(sides) {
			return nil
		}
		if limit := r.duration(step, attrTimeout, service.Switch.Exec.Timeout); r.Clock.Now().Sub(began) > limit {
			return &TimeoutError{What: what, Limit: limit, Left: fmt.Sprintf("check still prints %v", sides),
				Do: "Look at the service and at its switch's programs, then apply again"}
		}
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
}

// checkTries is how often a check is asked before its failure counts: a failing
// check says nothing about the service, and its programs ask other systems.
const checkTries = 3

// sides asks the service's check where it runs.
func (r *run) sides(ctx context.Context, service, step string) (sides []cluster.Side, err error) {
	defer r.meanwhile(step, "the program that says where "+service+" runs takes its time")()
	for range checkTries {
		if sides, err = r.Switches[service].Check(ctx, step); err == nil {
			return sides, nil
		}
		if err := r.tick(ctx); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// startService starts a service on the target, after a last look at what must
// not have changed (R9).
func startService(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	service := r.Plan.Migration.Service(s.Service)
	alone := r.status(stopOf(s.Service)) == state.Done
	if alone {
		// A service that came back meanwhile would run on both sides (R1, R28).
		if err := r.gone(ctx, []string{s.Service}, s.Address); err != nil {
			return nil, "", err
		}
		for _, g := range service.Groups {
			if err := r.unmoved(ctx, g.Name); err != nil {
				return nil, "", err
			}
		}
		if err := r.flipTopics(service, cluster.Target); err != nil {
			return nil, "", err
		}
	}
	if r.attempt(s.Address) == 1 {
		for _, g := range service.Groups {
			if err := r.stillPlaced(ctx, g.Name); err != nil {
				return nil, "", err
			}
		}
	}
	if err := r.writable(ctx, s, service); err != nil {
		return nil, "", err
	}
	if s.Manual {
		m := service.Switch.Manual
		if err := r.person(ctx, s, instruction(m.Start, s.Side), m.Timeout); err != nil {
			return nil, "", err
		}
		return nil, fmt.Sprintf("%s is said to run on the %s", s.Service, s.Side), nil
	}
	if err := r.start(ctx, service, s.Side, s.Address); err != nil {
		return nil, "", err
	}
	return nil, fmt.Sprintf("%s runs on the %s", s.Service, s.Side), nil
}

func (r *run) start(ctx context.Context, service *plan.Service, side cluster.Side, step string) error {
	ctx = context.WithoutCancel(ctx)
	end := r.meanwhile(step, fmt.Sprintf("the program that starts %s on the %s runs (%s at most)", service.Name, side, service.Switch.Exec.Timeout))
	err := r.Switches[service.Name].Start(ctx, side, step)
	if end(); err != nil {
		return err
	}
	return r.await(ctx, service, step, fmt.Sprintf("service %q running on the %s", service.Name, side),
		func(sides []cluster.Side) bool { return slices.Contains(sides, side) })
}

func (r *run) flipTopics(service *plan.Service, to cluster.Side) error {
	for _, t := range service.Produces {
		if err := r.flip(t.Name, "", to); err != nil {
			return err
		}
	}
	return nil
}

// unmoved compares the group's positions on the source with the final ones. A
// first commit where there was none is a move as well.
func (r *run) unmoved(ctx context.Context, group string) error {
	var facts vacateFacts
	address := graph.GroupAddress(group, "vacate")
	if err := r.decode(address, &facts); err != nil {
		return err
	}
	s := r.Graph.Step(address)
	parts, err := r.allPartitions(ctx, s.AllTopics())
	if err != nil {
		return err
	}
	now, err := r.Source.StableCommits(ctx, group, parts)
	if err != nil {
		return err
	}
	for _, tp := range inOrder(parts) {
		was, had := facts.Final[tp]
		is, has := now[tp]
		if had != has || was.Offset != is.Offset {
			return &MovedError{Group: group, Partition: tp, From: was.Offset, To: is.Offset}
		}
	}
	return nil
}

// inOrder returns the partitions in a fixed order.
func inOrder(parts map[string][]int32) []cluster.TopicPartition {
	var all []cluster.TopicPartition
	for topic, ps := range parts {
		for _, p := range ps {
			all = append(all, cluster.TopicPartition{Topic: topic, Partition: p})
		}
	}
	slices.SortFunc(all, func(a, b cluster.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// person waits for somebody to say that a manual step is done, or parks where
// nobody watches.
func (r *run) person(ctx context.Context, s *graph.Step, text string, limit time.Duration) error {
	limit = r.limit(s, limit)
	deadline := r.Clock.Now().Add(limit)
	event := StepParked{Step: s, Instruction: text, Command: r.hint(s.Address), Until: deadline}
	for told := false; ; {
		answered, err := r.answered(ctx, s.Address)
		if err != nil || answered {
			return err
		}
		if !r.Waits {
			return &errParked{event: event}
		}
		if !told {
			// Only what is parked can be answered.
			if err := r.mark(s, state.Parked, nil, nil); err != nil {
				return err
			}
			r.emit(event)
			told = true
		}
		if r.Clock.Now().After(deadline) {
			return &TimeoutError{What: "the manual step " + s.Address, Limit: limit, Left: "nobody has said that it is done",
				Do: "Do it, then apply again and answer with: " + event.Command}
		}
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
}

func (r *run) hint(address string) string {
	return r.command("done", address)
}

func (r *run) attempt(address string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Steps[address].Attempt
}

func instruction(i plan.Instruction, side cluster.Side) string {
	if side == cluster.Target {
		return i.Target
	}
	return i.Source
}

func partitionsOf[V any](m map[cluster.TopicPartition]V) map[string][]int32 {
	out := map[string][]int32{}
	for tp := range m {
		out[tp.Topic] = append(out[tp.Topic], tp.Partition)
	}
	for _, ps := range out {
		slices.Sort(ps)
	}
	return out
}
