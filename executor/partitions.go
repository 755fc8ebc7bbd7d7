package executor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// PartitionsError says that a topic has got partitions on the source since the
// diff, and that kplan may not give it as many on the target.
type PartitionsError struct {
	Topic          string
	Source, Target int
	Command        string // that adds them on the target
}

func (e *PartitionsError) Error() string {
	return fmt.Sprintf("topic %q has %d partitions on the source by now, and %d on the target: they were added while apply ran, and kplan adds none to a topic that it has not created. Add them with %s, then apply again",
		e.Topic, e.Source, e.Target, e.Command)
}

// samePartitions looks whether topics that are still written on the source have
// got partitions there since the diff, and gives the target as many. Without
// them producers would start on fewer, and what is in the new ones would be
// copied by nobody. What was different in the diff is no news and stays.
func (r *run) samePartitions(ctx context.Context, s *graph.Step, topics []string) error {
	topics = slices.DeleteFunc(slices.Clone(topics), func(t string) bool { return r.sideOf(t) == cluster.Target })
	if len(topics) == 0 || r.Seen == nil {
		return nil
	}
	source, err := r.Source.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	totals := map[string]int{}
	for _, t := range topics {
		if n, seen := len(source[t].Partitions), r.Seen[t]; seen > 0 && n > seen {
			totals[t] = n
		}
	}
	if len(totals) == 0 {
		return nil
	}
	target, err := r.Target.TopicsNamed(ctx, topics)
	if err != nil {
		return err
	}
	for _, t := range topics {
		want, have := totals[t], len(target[t].Partitions)
		if have >= want {
			delete(totals, t)
			continue
		}
		if !r.owned(t) {
			return &PartitionsError{Topic: t, Source: want, Target: have, Command: growCommand(r.Plan.Migration.Target, t, want)}
		}
		r.emit(Noted{Text: fmt.Sprintf("%s has got partitions on the source: %d by now, %d in the diff. The target, which has %d, gets as many", t, want, r.Seen[t], have)})
	}
	refused, err := r.Target.GrowTopics(context.WithoutCancel(ctx), totals, false)
	for t := range totals {
		if err := cmp.Or(refused[t], err); err != nil {
			return fmt.Errorf("adding partitions to %q on the target: %w", t, err)
		}
	}
	return r.newAreRead(ctx, s, totals)
}

// newAreRead waits until consumers that run on the target already
// (production_later) read the partitions that were added there: while these are
// empty, auto.offset.reset = latest loses nothing. Nobody is asked about a group of
// which no member is to be seen: its step joined has asked, and this one may be
// that of a service which stands stopped.
func (r *run) newAreRead(ctx context.Context, s *graph.Step, grown map[string]int) error {
	for _, j := range r.Graph.Steps {
		reads := slices.ContainsFunc(j.AllTopics(), func(t string) bool { return grown[t] > 0 })
		if j.Kind != graph.Joined || !reads || r.attempt(j.Address) == 0 {
			continue
		}
		look := *j
		look.Address = s.Address
		if err := r.newIsRead(ctx, &look); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) newIsRead(ctx context.Context, s *graph.Step) error {
	for began := r.Clock.Now(); ; {
		group, err := r.Target.Group(ctx, s.Group)
		if err != nil {
			return err
		}
		missing, err := r.unassigned(ctx, s, group)
		if err != nil || missing == "" {
			return err
		}
		none, err := r.nobodyReads(ctx, s, group, began)
		if err != nil {
			return err
		}
		if none {
			r.emit(Noted{Text: fmt.Sprintf("group %q has no member on the target, so nobody reads the partitions there that were added: what is written to them before its consumers come is skipped where they have auto.offset.reset = latest", s.Group)})
			return nil
		}
		if err := r.waitOn(ctx, s, began, missing); err != nil {
			return err
		}
	}
}

func (r *run) sideOf(topic string) cluster.Side {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.TopicSide(topic)
}

func (r *run) owned(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Owned[topic]
}

// growCommand is what a person types to give a topic more partitions.
func growCommand(c *plan.Cluster, topic string, total int) string {
	words := []string{"kafka-topics.sh", "--bootstrap-server", strings.Join(c.Bootstrap, ",")}
	if c.TLS != nil || c.SASL != nil {
		words = append(words, "--command-config", "admin.properties")
	}
	return cluster.CommandLine(append(words, "--alter", "--topic", topic, "--partitions", strconv.Itoa(total))...)
}

// topicsOfService returns what a service writes and reads, and its groups do.
func topicsOfService(r *run, service *plan.Service) []string {
	var all []string
	for _, ref := range slices.Concat(service.Produces, service.Consumes) {
		all = append(all, ref.Name)
	}
	for _, g := range service.Groups {
		if s := r.Graph.Step(graph.GroupAddress(g.Name, "drain")); s != nil {
			all = append(all, s.AllTopics()...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
