package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// overrideTopics makes the target's topics take records as they are on the
// source, and keep them, for as long as they are copied (R15).
func overrideTopics(ctx context.Context, r *run, _ *graph.Step) (any, string, error) {
	topics := r.copiedTopics()
	if err := r.override(ctx, topics); err != nil {
		return nil, "", err
	}
	return nil, plural(len(topics), "topic") + " ready to be copied to", nil
}

// override records what topics had and sets what the copy needs. What an
// earlier override of the topic has recorded counts on.
func (r *run) override(ctx context.Context, topics []string) error {
	for some := range slices.Chunk(topics, batchSize) {
		if err := r.overrideSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) overrideSome(ctx context.Context, names []string) error {
	topics, err := r.Target.TopicsNamed(ctx, names)
	if err != nil {
		return err
	}
	changes := map[string]map[string]*string{}
	var records []state.Record
	for _, name := range names {
		topic, ok := topics[name]
		if !ok {
			return fmt.Errorf("topic %q is not on the target any more: find out who deleted it, then apply again", name)
		}
		r.mu.Lock()
		had := r.state.Overrides[name]
		may := diff.MayAlter(r.Plan.Migration, r.state.Owned, name)
		r.mu.Unlock()
		wanted, fresh := withCopy(had, topic)
		if len(fresh) > 0 && !may {
			return &NotOursError{Topic: name, Configs: slices.Sorted(maps.Keys(fresh))}
		}
		if len(fresh) > 0 {
			wanted.Topic = name
			records = append(records, state.Record{Override: &wanted})
		}
		if len(wanted.Set) > 0 {
			changes[name] = pointers(wanted.Set)
		}
	}
	if err := r.record(records...); err != nil {
		return err
	}
	return r.alterAll(ctx, changes)
}

// withCopy adds what the copy needs to an override. fresh is what was added.
func withCopy(had state.Override, topic cluster.Topic) (all state.Override, fresh map[string]string) {
	all = state.Override{Set: maps.Clone(had.Set), Restore: maps.Clone(had.Restore)}
	if all.Set == nil {
		all.Set, all.Restore = map[string]string{}, map[string]*string{}
	}
	fresh = map[string]string{}
	set, restore := diff.CopyConfigs(topic)
	for key, value := range set {
		if _, held := had.Set[key]; !held {
			all.Set[key], all.Restore[key], fresh[key] = value, restore[key], value
		}
	}
	return all, fresh
}

// narrow gives everything back to a topic but its retention, which is held
// until its readers have come (R16).
func (r *run) narrow(ctx context.Context, topic string) error {
	r.mu.Lock()
	had, held := r.state.Overrides[topic]
	r.mu.Unlock()
	if !held {
		return nil
	}
	kept := state.Override{Topic: topic, Set: map[string]string{}, Restore: map[string]*string{}}
	back := map[string]*string{}
	for key, before := range had.Restore {
		if diff.HoldsRetention(key) {
			kept.Set[key], kept.Restore[key] = had.Set[key], before
			continue
		}
		back[key] = before
	}
	if len(back) == 0 {
		return nil
	}
	if err := r.alterAll(ctx, map[string]map[string]*string{topic: back}); err != nil {
		return err
	}
	kept.Restored = len(kept.Set) == 0
	return r.record(state.Record{Override: &kept})
}

// giveBackOrphans ends the overrides of topics that have left the selection, or
// that no group reads any more: no step would.
func (r *run) giveBackOrphans(ctx context.Context) error {
	var orphans []string
	r.mu.Lock()
	for t := range r.state.Overrides {
		released := r.Graph.Step(graph.TopicAddress(t, "release")) != nil || r.Graph.CopyStop(t) != nil
		if r.Graph.Step(graph.TopicAddress(t, "")) == nil || !released {
			orphans = append(orphans, t)
		}
	}
	r.mu.Unlock()
	if len(orphans) == 0 {
		return nil
	}
	slices.Sort(orphans)
	there, err := r.Target.TopicsNamed(ctx, orphans)
	if err != nil {
		return err
	}
	var gone []state.Record
	orphans = slices.DeleteFunc(orphans, func(t string) bool {
		if _, ok := there[t]; ok {
			return false
		}
		gone = append(gone, state.Record{Override: &state.Override{Topic: t, Restored: true}})
		return true
	})
	if err := r.record(gone...); err != nil {
		return err
	}
	r.emit(Noted{Text: fmt.Sprintf("the configs of topics that have left the plan are given back: %s", strings.Join(orphans, ", "))})
	return r.giveBack(ctx, orphans)
}

// giveBack ends the overrides of topics: all configs of a topic in one request,
// since a compacted topic that deletes for a moment loses old keys (R15).
func (r *run) giveBack(ctx context.Context, topics []string) error {
	changes := map[string]map[string]*string{}
	var records []state.Record
	r.mu.Lock()
	for _, t := range topics {
		if o, held := r.state.Overrides[t]; held {
			changes[t] = o.Restore
			records = append(records, state.Record{Override: &state.Override{Topic: t, Restored: true}})
		}
	}
	r.mu.Unlock()
	if err := r.alterAll(ctx, changes); err != nil {
		return err
	}
	return r.record(records...)
}

// alterAll changes the configs of topics, come what may: what was begun is
// brought to its end.
func (r *run) alterAll(ctx context.Context, changes map[string]map[string]*string) error {
	names := slices.Sorted(maps.Keys(changes))
	var errs []error
	for some := range slices.Chunk(names, batchSize) {
		part := map[string]map[string]*string{}
		for _, name := range some {
			part[name] = changes[name]
		}
		refused, err := r.Target.AlterTopics(context.WithoutCancel(ctx), part, false)
		errs = append(errs, err)
		for _, name := range slices.Sorted(maps.Keys(refused)) {
			errs = append(errs, refused[name])
		}
	}
	return errors.Join(errs...)
}

func pointers(values map[string]string) map[string]*string {
	out := map[string]*string{}
	for k, v := range values {
		out[k] = &v
	}
	return out
}

// NotOursError says that the copy needs configs that kplan may not set.
type NotOursError struct {
	Topic   string
	Configs []string
}

func (e *NotOursError) Error() string {
	return fmt.Sprintf("topic %q is on the target and kplan did not create it: the copy needs %v changed there while it goes on, and restored afterwards (R15). Name the topic in the plan (topics { topic %q {} }), or let kplan alter existing topics (parity { existing = \"alter\" })", e.Topic, e.Configs, e.Topic)
}
