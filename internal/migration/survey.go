package migration

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/worker"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// HasWorkers refuses plans that want no workers.
func HasWorkers(p *plan.Plan) error {
	m := p.Migration.Mirror
	switch {
	case m == nil:
		return fmt.Errorf("migration %q has no mirror block: there is nothing to copy. Add mirror { run = \"worker\" } to it", p.Migration.Name)
	case m.Run != "worker":
		return fmt.Errorf("%s:%d: the mirror of migration %q runs within kplan apply (run = %q), and a worker beside it would be in its way. Let kplan apply copy, or write run = \"worker\"",
			m.Range.Filename, m.Range.Start.Line, p.Migration.Name, m.Run)
	}
	return nil
}

// Survey looks which topics of a migration the workers of its mirror can copy. It
// writes nothing.
type Survey struct {
	Plan     *plan.Plan
	Clusters *Clusters
	State    state.Backend
	Shelf    mirror.Shelf
}

// Surveyed is what a Survey has found.
type Surveyed struct {
	Topics  map[string]worker.Topic // that are to be copied, and those that wait for apply
	Unready map[string]string       // topics of which some or all cannot be copied, with why
	Pending int                     // topics that wait for apply to begin their copy
	Begun   bool                    // an apply has begun the copy of some
}

// Look looks at the selected topics on both sides. The error wraps worker.ErrOver
// where the state goes on elsewhere.
func (s Survey) Look(ctx context.Context) (Surveyed, error) {
	names, begun, err := s.selected(ctx)
	if err != nil {
		return Surveyed{}, err
	}
	source, err := s.Clusters.Source.TopicsNamed(ctx, names)
	if err != nil {
		return Surveyed{}, err
	}
	target, err := s.Clusters.Target.TopicsNamed(ctx, names)
	if err != nil {
		return Surveyed{}, err
	}
	directions, err := mirror.ReadDirections(ctx, s.Shelf)
	if err != nil {
		return Surveyed{}, err
	}
	found := survey(names, directions, source, target)
	found.Begun = begun
	return found, nil
}

// selected is what the state has pinned (R3), before the first apply what the
// patterns match; begun: an apply has begun the copy of some.
func (s Survey) selected(ctx context.Context) (names []string, begun bool, err error) {
	st, err := s.State.Read(ctx)
	if err != nil {
		return nil, false, err
	}
	if err := state.Elsewhere(st, s.State); err != nil {
		return nil, false, fmt.Errorf("%w: %w", worker.ErrOver, err)
	}
	if st.Selection != nil {
		return st.Selection.Topics, st.Steps[graph.MirrorAddress("", "start")].Status == state.Done, nil
	}
	topics, err := s.Clusters.Source.Topics(ctx, s.Plan.Migration.Topics.Selects)
	if err != nil {
		return nil, false, err
	}
	return slices.Sorted(maps.Keys(topics)), false, nil
}

// survey judges each topic by its direction and by how it is on both sides.
func survey(names []string, directions mirror.Directions, source, target map[string]cluster.Topic) Surveyed {
	found := Surveyed{Topics: map[string]worker.Topic{}, Unready: map[string]string{}}
	for _, name := range names {
		direction := directions.Of(name)
		if direction == mirror.Halted {
			continue
		}
		topic, why := worker.Topic{}, "the source does not have it any more"
		if from, there := source[name]; there {
			topic, why = prepared(from, target)
		}
		switch {
		case direction == mirror.Pending: // apply makes it ready
			found.Pending++
			found.Topics[name] = topic
			continue
		case topic.Partitions > 0:
			found.Topics[name] = topic
		}
		if why != "" {
			found.Unready[name] = why
		}
	}
	return found
}

// prepared says how a topic is to be copied, and why some or all of it cannot be
// (no partitions: all).
func prepared(from cluster.Topic, target map[string]cluster.Topic) (worker.Topic, string) {
	to, there := target[from.Name]
	if !there {
		return worker.Topic{}, "the target does not have it"
	}
	var lacking []string
	set, _ := diff.CopyConfigs(to)
	for _, key := range slices.Sorted(maps.Keys(set)) {
		lacking = append(lacking, fmt.Sprintf("%s is %q and has to be %q", key, to.Configs[key].Value, set[key]))
	}
	if len(lacking) > 0 {
		return worker.Topic{}, "the target's is not set for the copy (R15): " + strings.Join(lacking, ", ")
	}
	t := worker.Topic{Partitions: min(len(from.Partitions), len(to.Partitions)), Ahead: strings.Contains(from.Configs["cleanup.policy"].Value, "compact")}
	if n, err := strconv.Atoi(to.Configs["max.message.bytes"].Value); err == nil {
		t.MaxBatch = n
	}
	if have, want := len(to.Partitions), len(from.Partitions); have < want {
		return t, fmt.Sprintf("the target has %d partitions and the source %d: those from %d on are not copied", have, want, have)
	}
	return t, ""
}
