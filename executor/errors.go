package executor

import (
	"fmt"
	"strings"
	"time"

	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// UnhandledError is a mistake in kplan: a step kind without a handler.
type UnhandledError struct{ Kind graph.Kind }

func (e *UnhandledError) Error() string {
	return fmt.Sprintf("this is a bug in kplan: nothing carries out steps of kind %q", e.Kind)
}

// StrayWriterError says that records arrive on a side where nobody should
// write any more (R1, R6).
type StrayWriterError struct {
	Partition  cluster.TopicPartition
	Offset     int64
	ProducerID int64
	Side       cluster.Side
	After      string // what had been established
	Command    string // by which a person takes responsibility; empty while nobody relies on the boundary
}

func (e *StrayWriterError) Error() string {
	who := "a producer without an id (not idempotent)"
	if e.ProducerID >= 0 {
		who = fmt.Sprintf("producer id %d", e.ProducerID)
	}
	msg := fmt.Sprintf("%s: %s wrote a record at offset %d on the %s after %s (R6). Find the instance that still writes there, stop it", e.Partition, who, e.Offset, e.Side, e.After)
	if e.Command == "" {
		return msg + ", and apply again"
	}
	return msg + ". Consumers that are still on the source read its records there; for the others they have to be written again on the target. When that is done, say so with " + e.Command + " and apply again"
}

// RunningError says that a service runs where it should not.
type RunningError struct {
	Service string
	Side    cluster.Side
	After   string
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("service %q runs on the %s %s. Something starts it again (an autoscaler, a GitOps controller, a second host): make its stop program switch that off, then apply again", e.Service, e.Side, e.After)
}

// TimeoutError says that a step waited in vain.
type TimeoutError struct {
	What  string
	Limit time.Duration
	Left  string
	Do    string
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s did not happen within %s: %s. %s", e.What, e.Limit, e.Left, e.Do)
}

// UncommittedError says that a group has never committed on a partition that
// holds records, and the plan does not say what that means (R7).
type UncommittedError struct {
	Group      string
	Partitions []cluster.TopicPartition
}

func (e *UncommittedError) Error() string {
	return fmt.Sprintf("group %q has no committed offset on %s, which hold records: nobody can tell whether it has read them (R7). Say it in the plan: groups { group %q { uncommitted = \"earliest\" } } if it still has to read them all, \"latest\" if they are none of its business",
		e.Group, list(e.Partitions), e.Group)
}

// NotDrainedError says that a group was stopped before it had read everything.
type NotDrainedError struct {
	Group     string
	Partition cluster.TopicPartition
	Position  int64
	Record    int64
	Boundary  int64
}

func (e *NotDrainedError) Error() string {
	return fmt.Sprintf("group %q stands at offset %d of %s and the record at offset %d, before the boundary %d, is unread (R7): moving it now would lose it. Start its service on the source again, let it read on, and apply again", e.Group, e.Position, e.Partition, e.Record, e.Boundary)
}

// MembersError says that somebody reads with a group whose offsets are to be
// placed (R9).
type MembersError struct {
	Group   string
	Side    cluster.Side
	Members []cluster.Member
}

func (e *MembersError) Error() string {
	var who []string
	for _, m := range e.Members {
		who = append(who, fmt.Sprintf("%s at %s", m.ClientID, m.Host))
	}
	return fmt.Sprintf("group %q has %s on the %s (%s) while its offsets are to be placed (R9). Stop them, then apply again", e.Group, plural(len(e.Members), "member"), e.Side, strings.Join(who, ", "))
}

// MovedError says that a position changed when it should stand still (R9).
type MovedError struct {
	Group     string
	Partition cluster.TopicPartition
	From, To  int64
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("the committed offset of group %q on %s moved from %d to %d on the source after its service was stopped (R9). Somebody still commits for it: find and stop that, then apply again", e.Group, e.Partition, e.From, e.To)
}

// StrandedError says that a service runs nowhere and why kplan does not start
// it on the source again (R13).
type StrandedError struct {
	Service string
	Reason  string
	Written []string // what the target holds that the source does not
	Cause   error
}

func (e *StrandedError) Error() string {
	msg := fmt.Sprintf("service %q is stopped: %s.", e.Service, e.Reason)
	if len(e.Written) > 0 {
		msg += fmt.Sprintf(" The target holds records that the source does not: %s.", strings.Join(e.Written, ", "))
	}
	return msg + " Two ways out: mend the start on the target and apply again; or, if those records may be left behind or are written again, start the service on the source by hand (its switch's start program with KPLAN_SIDE=source) and remove the migration's state directory, so that the next apply begins anew"
}

func (e *StrandedError) Unwrap() error { return e.Cause }

func list(tps []cluster.TopicPartition) string {
	const most = 5
	var names []string
	for i, tp := range tps {
		if i == most {
			return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(tps)-most)
		}
		names = append(names, tp.String())
	}
	return strings.Join(names, ", ")
}
