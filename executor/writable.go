package executor

import (
	"context"
	"fmt"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// writableWait is for how long a topic may be short of replicas in sync before a
// service is neither stopped nor started for it: a broker restarts in less.
const writableWait = 2 * time.Minute

// NotWritableError says that a service would be started where nobody can write.
type NotWritableError struct {
	Service string
	Topic   string
	Short   cluster.ShortPartition
	Waited  time.Duration
}

func (e *NotWritableError) Error() string {
	do := "Bring the brokers back that hold the others"
	if e.Short.Least > e.Short.Replicas {
		do = fmt.Sprintf("Lower min.insync.replicas of the topic to %d at most (in the plan where kplan may alter it, else with kafka-configs.sh), or give it more replicas", e.Short.Replicas)
	}
	return fmt.Sprintf("service %q cannot write to %s[%d] on the target with acks=all: %d of %s in sync, and min.insync.replicas wants %d, for %s by now. %s, then apply again",
		e.Service, e.Topic, e.Short.Partition, e.Short.InSync, plural(e.Short.Replicas, "replica"), e.Short.Least, e.Waited.Round(time.Second), do)
}

// writable waits until the topics that a service writes take a write with
// acks=all on the target. A topic that is not there yet is not judged.
func (r *run) writable(ctx context.Context, s *graph.Step, service *plan.Service) error {
	var topics []string
	for _, t := range service.Produces {
		if r.status(graph.TopicAddress(t.Name, "")) == state.Done {
			topics = append(topics, t.Name)
		}
	}
	if len(topics) == 0 {
		return nil
	}
	for began := r.Clock.Now(); ; {
		there, err := r.Target.TopicsNamed(ctx, topics)
		if err != nil {
			return err
		}
		short := r.short(service.Name, topics, there)
		if short == nil {
			return nil
		}
		if short.Waited = r.Clock.Now().Sub(began); short.Waited > writableWait {
			return short
		}
		r.progress(s, StepProgress{Text: fmt.Sprintf("waiting until %s[%d] on the target takes writes: %d of %s in sync, min.insync.replicas wants %d",
			short.Topic, short.Short.Partition, short.Short.InSync, plural(short.Short.Replicas, "replica"), short.Short.Least)})
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
}

// short returns the first topic that takes no write, or nil.
func (r *run) short(service string, topics []string, there map[string]cluster.Topic) *NotWritableError {
	for _, name := range topics {
		if all := there[name].Unwritable(r.Capped); len(all) > 0 {
			return &NotWritableError{Service: service, Topic: name, Short: all[0]}
		}
	}
	return nil
}
