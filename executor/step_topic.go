package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

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

// createTopics makes the target's topics what the diff says, by the same pure
// function: one look at each cluster and one request for all that are missing.
// A topic that appears in between although this state owns it already is the
// late work of a kplan that died: it is looked at again.
func createTopics(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome {
	out := map[string]outcome{}
	for try := 1; len(steps) > 0; try++ {
		once := r.createOnce(ctx, steps)
		var again []*graph.Step
		for _, s := range steps {
			if errors.Is(once[s.Address].err, errOwnLateCreation) && try < createTries {
				again = append(again, s)
				continue
			}
			out[s.Address] = once[s.Address]
		}
		if steps = again; len(steps) > 0 && r.tick(ctx) != nil {
			break
		}
	}
	for _, s := range steps { // interrupted between two looks
		out[s.Address] = outcome{err: context.Cause(ctx)}
	}
	return out
}

// createTries is how often topics are looked at that a dead kplan may still be
// creating.
const createTries = 10

var errOwnLateCreation = errors.New("it appears on the target, as an earlier kplan has asked for, and not yet to everybody. Apply again")

func (r *run) createOnce(ctx context.Context, steps []*graph.Step) map[string]outcome {
	out := map[string]outcome{}
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.Topic
	}
	source, err := r.Source.TopicsNamed(ctx, names)
	var target map[string]cluster.Topic
	if err == nil {
		target, err = r.Target.TopicsNamed(ctx, names)
	}
	if err != nil {
		for _, s := range steps {
			out[s.Address] = outcome{err: err}
		}
		return out
	}
	changes := r.compare(source, target)
	ctx = context.WithoutCancel(ctx)
	var wanted []diff.Wanted
	var altered []diff.TopicChange
	for _, s := range steps {
		if _, ok := source[s.Topic]; !ok {
			out[s.Address] = outcome{err: &TopicGoneError{Topic: s.Topic}}
			continue
		}
		change := changes[s.Topic]
		switch change.Action {
		case diff.Create:
			wanted = append(wanted, change.Want)
		case diff.Update:
			altered = append(altered, change)
		default:
			out[s.Address] = outcome{text: "as wanted"}
		}
	}
	for topic, err := range r.create(ctx, wanted) {
		out[graph.TopicAddress(topic, "")] = outcome{text: "created", err: err}
	}
	for topic, err := range r.update(ctx, altered) {
		out[graph.TopicAddress(topic, "")] = outcome{text: "altered", err: err}
	}
	return out
}

func (r *run) compare(source, target map[string]cluster.Topic) map[string]diff.TopicChange {
	r.mu.Lock()
	owned, held := maps.Clone(r.state.Owned), Held(r.state)
	r.mu.Unlock()
	changes := map[string]diff.TopicChange{}
	for _, c := range diff.Topics(r.Plan.Migration,
		cluster.Snapshot{Topics: source}, cluster.Snapshot{Topics: target, Defaults: r.Defaults}, owned, held) {
		changes[c.Topic] = c
	}
	return changes
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
// kplan's. It returns what became of each.
func (r *run) create(ctx context.Context, wanted []diff.Wanted) map[string]error {
	became := map[string]error{}
	if len(wanted) == 0 {
		return became
	}
	r.mu.Lock()
	before := maps.Clone(r.state.Owned)
	r.mu.Unlock()
	var owned []state.Record
	var specs []cluster.TopicSpec
	for _, w := range wanted {
		owned = append(owned, state.Record{Owned: &state.Owned{Topic: w.Name}})
		specs = append(specs, cluster.TopicSpec{
			Name: w.Name, Partitions: int(w.Partitions), ReplicationFactor: int(w.ReplicationFactor), Configs: w.Configs,
		})
	}
	err := r.record(owned...)
	var refused map[string]error
	if err == nil {
		refused, err = r.Target.CreateTopics(ctx, specs, false)
	}
	for _, w := range wanted {
		became[w.Name] = err
		switch exists := errors.Is(refused[w.Name], cluster.ErrTopicExists); {
		case err != nil:
		case exists && before[w.Name]:
			became[w.Name] = fmt.Errorf("creating topic %q: %w", w.Name, errOwnLateCreation)
		case exists:
			became[w.Name] = r.disown(w.Name, refused[w.Name])
		default:
			became[w.Name] = refused[w.Name]
		}
	}
	return became
}

// disown takes the ownership back of a topic that somebody else made first.
func (r *run) disown(topic string, err error) error {
	if err := r.record(state.Record{Owned: &state.Owned{Topic: topic, Not: true}}); err != nil {
		return err
	}
	return fmt.Errorf("topic %q has appeared on the target meanwhile, made by somebody else: %w. Look at kplan diff and apply again", topic, err)
}

// update grows topics and alters their configs. It returns what became of each.
func (r *run) update(ctx context.Context, changes []diff.TopicChange) map[string]error {
	became := map[string]error{}
	totals := map[string]int{}
	configs := map[string]map[string]*string{}
	for _, c := range changes {
		became[c.Topic] = nil
		if c.Partitions > 0 {
			totals[c.Topic] = int(c.Partitions)
		}
		if alter := c.Alterations(); len(alter) > 0 {
			configs[c.Topic] = alter
		}
	}
	refused, err := r.Target.GrowTopics(ctx, totals, false)
	for topic := range totals {
		if became[topic] = cmp.Or(refused[topic], err); became[topic] != nil {
			delete(configs, topic)
		}
	}
	refused, err = r.Target.AlterTopics(ctx, configs, false)
	for topic := range configs {
		became[topic] = cmp.Or(refused[topic], err)
	}
	return became
}

// alter changes the configs of one topic.
func (r *run) alter(ctx context.Context, topic string, changes map[string]*string) error {
	refused, err := r.Target.AlterTopics(ctx, map[string]map[string]*string{topic: changes}, false)
	return cmp.Or(refused[topic], err)
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
	if r.Graph.CopyStop(s.Topic) != nil {
		return facts, "what the copy needed is given back, retention stays held", r.narrow(ctx, s.Topic)
	}
	r.mu.Lock()
	override, held := r.state.Overrides[s.Topic]
	may := diff.MayAlter(r.Plan.Migration, r.state.Owned, s.Topic)
	r.mu.Unlock()
	if !held {
		topics, err := r.Target.TopicsNamed(ctx, []string{s.Topic})
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
	if err := r.alter(context.WithoutCancel(ctx), s.Topic, changes); err != nil {
		return nil, "", err
	}
	return facts, "retention held", nil
}

// release gives the topic its own retention back.
func release(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	r.mu.Lock()
	_, held := r.state.Overrides[s.Topic]
	r.mu.Unlock()
	if !held {
		return nil, "nothing was held", nil
	}
	return nil, "retention as before", r.giveBack(ctx, []string{s.Topic})
}
