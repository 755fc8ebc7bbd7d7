package executor

import (
	"context"
	"errors"
	"fmt"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// TopicGoneError says that a selected topic is no longer on the source.
type TopicGoneError struct{ Topic string }

func (e *TopicGoneError) Error() string {
	return fmt.Sprintf("topic %q is not on the source any more. Take it out of topics.include and of the services, or find out who deleted it", e.Topic)
}

// createTopic makes the target's topic what the diff says, by the same pure
// function.
func createTopic(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	source, err := r.describe(ctx, cluster.Source, s.Topic)
	if err != nil {
		return nil, "", err
	}
	if _, ok := source[s.Topic]; !ok {
		return nil, "", &TopicGoneError{Topic: s.Topic}
	}
	target, err := r.describe(ctx, cluster.Target, s.Topic)
	if err != nil {
		return nil, "", err
	}
	change := r.compare(s.Topic, source, target)
	ctx = context.WithoutCancel(ctx)
	switch change.Action {
	case diff.Create:
		return nil, "created", r.create(ctx, change.Want)
	case diff.Update:
		return nil, "altered", r.update(ctx, change)
	default:
		return nil, "as wanted", nil
	}
}

func (r *run) describe(ctx context.Context, side cluster.Side, topic string) (map[string]cluster.Topic, error) {
	return r.on(side).Topics(ctx, func(name string) bool { return name == topic })
}

func (r *run) compare(topic string, source, target map[string]cluster.Topic) diff.TopicChange {
	r.mu.Lock()
	owned, held := r.state.Owned, Held(r.state)
	changes := diff.Topics(r.Plan.Migration,
		cluster.Snapshot{Topics: source}, cluster.Snapshot{Topics: target, Defaults: r.Defaults}, owned, held)
	r.mu.Unlock()
	for _, c := range changes {
		if c.Topic == topic {
			return c
		}
	}
	return diff.TopicChange{Topic: topic}
}

// Held returns the configs that are under an override, as diff takes them.
func Held(st state.State) map[string]map[string]string {
	held := map[string]map[string]string{}
	for topic, o := range st.Overrides {
		held[topic] = o.Set
	}
	return held
}

// create journals the ownership first: a topic that kplan may have created is
// kplan's.
func (r *run) create(ctx context.Context, want diff.Wanted) error {
	if err := r.record(state.Record{Owned: &state.Owned{Topic: want.Name}}); err != nil {
		return err
	}
	err := r.Target.CreateTopic(ctx, cluster.TopicSpec{
		Name: want.Name, Partitions: int(want.Partitions), ReplicationFactor: int(want.ReplicationFactor), Configs: want.Configs,
	}, false)
	if errors.Is(err, cluster.ErrTopicExists) {
		if err := r.record(state.Record{Owned: &state.Owned{Topic: want.Name, Not: true}}); err != nil {
			return err
		}
		return fmt.Errorf("topic %q has appeared on the target meanwhile, made by somebody else: %w. Look at kplan diff and apply again", want.Name, err)
	}
	return err
}

func (r *run) update(ctx context.Context, c diff.TopicChange) error {
	if c.Partitions > 0 {
		if err := r.Target.CreatePartitions(ctx, c.Topic, int(c.Partitions), false); err != nil {
			return err
		}
	}
	changes := map[string]*string{}
	for k, v := range c.Set {
		changes[k] = &v
	}
	for _, k := range c.Delete {
		changes[k] = nil
	}
	if len(changes) == 0 {
		return nil
	}
	return r.Target.AlterConfigs(ctx, c.Topic, changes, false)
}

// hold notes where the target's log ends before any service writes there, and
// keeps records from being deleted until their readers have come (R16).
func hold(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	ends, err := r.Target.LogEnds(ctx, []string{s.Topic})
	if err != nil {
		return nil, "", err
	}
	facts := holdFacts{Base: offsets{}}
	for tp, e := range ends {
		facts.Base[tp] = e.LogEnd
	}
	r.mu.Lock()
	override, held := r.state.Overrides[s.Topic]
	may := diff.MayAlter(r.Plan.Migration, r.state.Owned, s.Topic)
	r.mu.Unlock()
	if !held {
		topics, err := r.describe(ctx, cluster.Target, s.Topic)
		if err != nil {
			return nil, "", err
		}
		set, restore, needed := diff.HoldConfigs(topics[s.Topic])
		if !needed || !may {
			return facts, "nothing to hold", nil
		}
		override = state.Override{Topic: s.Topic, Set: set, Restore: restore}
		if err := r.record(state.Record{Override: &override}); err != nil {
			return nil, "", err
		}
	}
	changes := map[string]*string{}
	for k, v := range override.Set {
		changes[k] = &v
	}
	if err := r.Target.AlterConfigs(context.WithoutCancel(ctx), s.Topic, changes, false); err != nil {
		return nil, "", err
	}
	return facts, "retention held", nil
}

// release gives the topic its own retention back.
func release(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	r.mu.Lock()
	override, held := r.state.Overrides[s.Topic]
	r.mu.Unlock()
	if !held {
		return nil, "nothing was held", nil
	}
	if err := r.Target.AlterConfigs(context.WithoutCancel(ctx), s.Topic, override.Restore, false); err != nil {
		return nil, "", err
	}
	if err := r.record(state.Record{Override: &state.Override{Topic: s.Topic, Restored: true}}); err != nil {
		return nil, "", err
	}
	return nil, "retention as before", nil
}
