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

// UnruledError says that a topic has no access rule, and nobody has said what
// that means on this cluster: the fence could shut everybody out, or let
// everybody in (R8).
type UnruledError struct {
	Topic   string
	Cluster string
}

func (e *UnruledError) Error() string {
	return fmt.Sprintf("no access rule on the source is about topic %q, so the first one decides about everybody: with allow.everyone.if.no.acl.found it shuts out all others, and brokers do not tell that setting (R8). Say it in the plan: cluster %q { authorizer { allow_everyone = true } }; or give the topic's clients rules of their own first; or write fence = \"none\"", e.Topic, e.Cluster)
}

// FenceGoneError says that somebody has taken a rule of the fence away.
type FenceGoneError struct {
	Topic string
	Rule  cluster.ACL
}

func (e *FenceGoneError) Error() string {
	return fmt.Sprintf("the fence of topic %q has lost a rule on the source (%s). A tool that owns the cluster's rules may take away what it does not know: let it leave this one alone until the migration is over, then apply again", e.Topic, e.Rule)
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

// NotDrainedError says that a group has not read everything, though it was
// drained: it was stopped, or its position was moved back.
type NotDrainedError struct {
	Group     string
	Partition cluster.TopicPartition
	Position  int64
	Record    int64
	Boundary  int64
}

func (e *NotDrainedError) Error() string {
	return fmt.Sprintf("group %q stands at offset %d of %s and the record at offset %d, before the boundary %d, is unread (R7): moving it now would lose it. Let its service read on on the source (start it there again if it is stopped), and apply again", e.Group, e.Position, e.Partition, e.Record, e.Boundary)
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
	Side      cluster.Side // the source unless set
	From, To  int64
}

func (e *MovedError) Error() string {
	if e.Side == cluster.Target {
		return fmt.Sprintf("the offset of group %q on %s reads %d on the target right after %d was placed (R9). Somebody else commits for it there: find and stop that, then apply again", e.Group, e.Partition, e.To, e.From)
	}
	return fmt.Sprintf("the committed offset of group %q on %s moved from %d to %d on the source after its service was stopped (R9). Somebody still commits for it: find and stop that, then apply again", e.Group, e.Partition, e.From, e.To)
}

// OutsideError says that the place where a group has to begin on the target is
// not in the log (R9).
type OutsideError struct {
	Group            string
	Partition        cluster.TopicPartition
	Offset           int64
	LogStart, LogEnd int64
}

func (e *OutsideError) Error() string {
	why := "the topic was deleted and made again there, or truncated"
	if e.Offset < e.LogStart {
		why = fmt.Sprintf("retention has deleted the offsets %d to %d before group %q could read them", e.Offset, e.LogStart-1, e.Group)
	}
	return fmt.Sprintf("group %q has to begin at offset %d of %s on the target, and the log there reaches from %d to %d: %s (R9, R16). What is missing has to be written again on the target; to go on without it, commit an offset for the group on the target by hand after the migration. kplan does not skip records by itself", e.Group, e.Offset, e.Partition, e.LogStart, e.LogEnd, why)
}

// BeyondError says that a group has committed more on the source than its log
// holds (R9).
type BeyondError struct {
	Group     string
	Partition cluster.TopicPartition
	Offset    int64
	LogEnd    int64
}

func (e *BeyondError) Error() string {
	return fmt.Sprintf("group %q has committed offset %d on %s of the source, whose log ends at %d: the topic was deleted and made anew, or truncated, and where the group stands nobody can tell (R9). Reset the offset on the source while the group is stopped (kafka-consumer-groups.sh --reset-offsets), or say that the group has read everything: groups { group %q { beyond_end = \"end\" } }. Then apply again", e.Group, e.Offset, e.Partition, e.LogEnd, e.Group)
}

// ForeignError says that a service runs on the target although this state has
// never started it there.
type ForeignError struct{ Service string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("service %q runs on the target, and the state here has never started it there: the state of an earlier run is lost, in another directory, or under another migration's name. Going on would skip what it has written since. Restore the state, or stop the service there", e.Service)
}

// StrandedError says that a service runs nowhere and why kplan does not start
// it on the source again (R13).
type StrandedError struct {
	Service string
	Reason  string
	Written []string // what the target holds that the source does not
	Command string   // by which a person says that it runs on the source again
	Lift    []string // by which a person lifts the fence that keeps it from writing on the source
	Cause   error
}

func (e *StrandedError) Error() string {
	msg := fmt.Sprintf("service %q was stopped and is not known to run anywhere: %s.", e.Service, e.Reason)
	if len(e.Written) == 0 {
		return msg + e.fenced() + " Find out where it runs, mend what failed, and apply again"
	}
	return msg + e.fenced() + fmt.Sprintf(" The target holds records that the source does not: %s. Two ways out: mend the start on the target and apply again; or start the service on the source by hand (its start program with KPLAN_SIDE=source), say so with %s, and apply again: the records stay on the target and are read there when their readers move, out of order with what is written on the source meanwhile",
		strings.Join(e.Written, ", "), e.Command)
}

func (e *StrandedError) fenced() string {
	if len(e.Lift) == 0 {
		return ""
	}
	return " The fence still keeps it from writing on the source (R8); before it is started there: " + strings.Join(e.Lift, "; ") + "."
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
