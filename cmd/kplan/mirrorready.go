package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// wire says how the connections that carry batches reach one of the clusters.
func (a *app) wire(of *plan.Cluster, pool int64) (wire.Options, error) {
	ep, err := endpoint.Own(a.dir, of)
	if err != nil {
		return wire.Options{}, err
	}
	mechanism, err := wire.Mechanism(ep)
	if err != nil {
		return wire.Options{}, fmt.Errorf("cluster %q: %w", of.Name, err)
	}
	return wire.Options{Bootstrap: ep.Bootstrap, TLS: ep.TLS, SASL: mechanism, Pool: wire.NewPool(pool)}, nil
}

// dataPath opens such connections.
func (a *app) dataPath(of *plan.Cluster, pool int64) (*wire.Client, error) {
	o, err := a.wire(of, pool)
	if err != nil {
		return nil, err
	}
	return wire.New(o), nil
}

// readiness looks which topics can be copied, and says which cannot.
type readiness struct {
	app    *app
	scene  scene
	shelf  state.Shelf
	stderr io.Writer

	mu    sync.Mutex
	named map[string]string // topics that are not copied, with why
	// pending is how many topics wait for apply.
	pending int
}

// survey looks at the selected topics on both sides. What is not ready is said
// once, and again when it changes.
func (r *readiness) survey(ctx context.Context) (map[string]worker.Topic, error) {
	names, begun, err := r.selected(ctx)
	if err != nil {
		return nil, err
	}
	source, err := r.scene.clusters.Source.TopicsNamed(ctx, names)
	if err != nil {
		return nil, err
	}
	target, err := r.scene.clusters.Target.TopicsNamed(ctx, names)
	if err != nil {
		return nil, err
	}
	ways, err := mirror.ReadDirections(ctx, r.shelf)
	if err != nil {
		return nil, err
	}
	topics, unready, pending := ready(names, ways, source, target)
	r.tell(unready, pending, begun)
	return topics, nil
}

// ready says which topics are to be copied and how, why some cannot be (no
// partitions: all of the topic), and how many wait for apply.
func ready(names []string, ways mirror.Directions, source, target map[string]cluster.Topic) (topics map[string]worker.Topic, unready map[string]string, pending int) {
	topics, unready = map[string]worker.Topic{}, map[string]string{}
	for _, name := range names {
		way := ways.Of(name)
		if way == mirror.Halted {
			continue
		}
		topic, why := worker.Topic{}, "the source does not have it any more"
		if from, there := source[name]; there {
			topic, why = prepared(from, target)
		}
		switch {
		case way == mirror.Pending: // apply makes it ready
			pending++
			topics[name] = topic
			continue
		case topic.Partitions > 0:
			topics[name] = topic
		}
		if why != "" {
			unready[name] = why
		}
	}
	return topics, unready, pending
}

// selected is what the state has pinned (R3), before the first apply what the
// patterns match; begun: an apply has begun the copy of some.
func (r *readiness) selected(ctx context.Context) (names []string, begun bool, err error) {
	st, err := r.scene.backend.Read(ctx)
	if err != nil {
		return nil, false, err
	}
	if err := state.Elsewhere(st, r.scene.backend); err != nil {
		return nil, false, fmt.Errorf("%w: %w", worker.ErrOver, err)
	}
	if st.Selection != nil {
		return st.Selection.Topics, st.Steps[graph.MirrorAddress("", "start")].Status == state.Done, nil
	}
	topics, err := r.scene.clusters.Source.Topics(ctx, r.scene.plan.Migration.Topics.Selects)
	if err != nil {
		return nil, false, err
	}
	return slices.Sorted(maps.Keys(topics)), false, nil
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

func (r *readiness) tell(unready map[string]string, pending int, begun bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case pending == 0 || r.pending > 0:
	case begun:
		note(r.stderr, "Of %d topics nothing is copied, though an apply has begun the copy: it was an older kplan, which kept nothing that tells workers so, or these topics have come since. Nothing goes on before kplan apply has run once more: %s", pending, r.app.command("apply"))
	default:
		note(r.stderr, "Waiting for kplan apply to begin the copy of %d topics: nothing is copied before it has looked whether records of others are in the way, and gates before the mirror are open. Start it: %s", pending, r.app.command("apply"))
	}
	r.pending = pending
	for _, name := range slices.Sorted(maps.Keys(unready)) {
		if why := unready[name]; r.named[name] != why {
			note(r.stderr, "Topic %s is not copied: %s. Prepare it: %s", name, why, r.app.command("apply"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.named)) {
		if _, still := unready[name]; !still {
			note(r.stderr, "Topic %s is copied from here on.", name)
		}
	}
	r.named = unready
}

// complete refuses to call it done where topics were left out.
func (r *readiness) complete() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.named) == 0 {
		return nil
	}
	return fmt.Errorf("what is ready is copied; %d topics are not, as said above: %s", len(r.named), strings.Join(slices.Sorted(maps.Keys(r.named)), ", "))
}
