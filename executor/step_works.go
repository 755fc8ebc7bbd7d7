package executor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

const (
	// worksTimeout is how long consumers may take to be assigned and to read.
	worksTimeout = 10 * time.Minute
	// trafficWait is how long no traffic may last before a person is asked.
	trafficWait = 30 * time.Second
	// markerLook is up to how many offsets behind a look into the log is worth it.
	markerLook = 16
)

// joined waits until the group's members on the target have all partitions.
func joined(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	began := r.Clock.Now()
	for {
		group, err := r.Target.Group(ctx, s.Group)
		if err != nil {
			return nil, "", err
		}
		missing, err := r.unassigned(ctx, s, group)
		if err != nil {
			return nil, "", err
		}
		if missing == "" {
			return nil, fmt.Sprintf("%s reads on the target with %s", s.Group, plural(len(group.Members), "member")), nil
		}
		if asked, err := r.nobodyBefore(ctx, s, group, began); err != nil || asked {
			return nil, "a person has said that " + s.Group + " needs nobody to read with it now", err
		}
		if err := r.waitOn(ctx, s, began, missing); err != nil {
			return nil, "", err
		}
	}
}

// waitOn tells what is missing and waits for the next look.
func (r *run) waitOn(ctx context.Context, s *graph.Step, began time.Time, missing string) error {
	if limit := r.limit(s, worksTimeout); r.Clock.Now().Sub(began) > limit {
		return &TimeoutError{What: fmt.Sprintf("group %q working on the target", s.Group), Limit: limit, Left: missing,
			Do: fmt.Sprintf("Look at the service on the target (can it reach all brokers, has it the rights?). Where it has another number of members by design, say so in the plan: groups { group %q { members = N } }. Then apply again", s.Group)}
	}
	r.progress(s, StepProgress{Text: missing})
	return r.tick(ctx)
}

// nobodyBefore asks a person about a group of which nobodyReads.
func (r *run) nobodyBefore(ctx context.Context, s *graph.Step, group cluster.Group, began time.Time) (asked bool, err error) {
	none, err := r.nobodyReads(ctx, s, group, began)
	if err != nil || !none {
		return false, err
	}
	return true, r.person(ctx, s, fmt.Sprintf("Group %q has no member on the target, and had none on the source when its service was stopped, so nobody can be seen at work (R10). Look for yourself. Where its consumers come and go, as a cron job's do, the plan may say so: groups { group %q { members = 0 } }.",
		s.Group, s.Group), worksTimeout)
}

// nobodyReads reports whether a group that had no member on the source when its
// service was stopped has had none on the target for a while: a cron job, or a
// consumer that was down. What it is, and whether it works, cannot be seen (R10).
func (r *run) nobodyReads(ctx context.Context, s *graph.Step, group cluster.Group, began time.Time) (bool, error) {
	if _, said := r.Plan.Migration.Groups.Members(s.Group); said || len(group.Members) > 0 {
		return false, nil
	}
	before, counted, err := r.membersBefore(ctx, s)
	return err == nil && counted && before == 0 && r.Clock.Now().Sub(began) > trafficWait, err
}

// membersBefore is how many members the group had on the source when its service
// was stopped, or has there now; counted: it is known of all of its services.
func (r *run) membersBefore(ctx context.Context, s *graph.Step) (most int, counted bool, err error) {
	counted = true
	for _, owner := range s.Owners {
		if !r.hasFacts(stopOf(owner)) { // production_later: the old ones still read
			old, err := r.Source.Group(ctx, s.Group)
			if err != nil {
				return 0, false, err
			}
			most = max(most, len(old.Members))
			continue
		}
		var facts stopFacts
		if err := r.decode(stopOf(owner), &facts); err != nil {
			return 0, false, err
		}
		n, known := facts.Members[s.Group]
		most, counted = max(most, n), counted && known
	}
	return most, counted, nil
}

// wantedMembers is how many members the group must have on the target: what the
// plan says, or as many as before, one at least.
func (r *run) wantedMembers(ctx context.Context, s *graph.Step) (int, error) {
	if want, said := r.Plan.Migration.Groups.Members(s.Group); said {
		return want, nil
	}
	before, _, err := r.membersBefore(ctx, s)
	return max(1, before), err
}

// unassigned says what the group on the target lacks, or "".
func (r *run) unassigned(ctx context.Context, s *graph.Step, group cluster.Group) (string, error) {
	want, err := r.wantedMembers(ctx, s)
	if err != nil || want == 0 {
		return "", err
	}
	if len(group.Members) < want {
		return fmt.Sprintf("%d of %s on the target", len(group.Members), plural(want, "member")), nil
	}
	if group.State != "Stable" {
		return "the group is " + group.State, nil
	}
	taken := map[cluster.TopicPartition]bool{}
	for _, m := range group.Members {
		for _, tp := range m.Assigned {
			taken[tp] = true
		}
	}
	ends, err := r.Target.LogEnds(ctx, r.listed(s))
	if err != nil {
		return "", err
	}
	var free []string
	for tp := range ends {
		if !taken[tp] {
			free = append(free, tp.String())
		}
	}
	if len(free) > 0 {
		return fmt.Sprintf("%s without a reader: %s", plural(len(free), "partition"), strings.Join(free[:min(3, len(free))], ", ")), nil
	}
	return "", nil
}

// listed returns the topics of a group step that the plan lists: of those that
// only commits tell, nobody knows whether the consumers still ask for them.
func (r *run) listed(s *graph.Step) []string {
	listed := map[string]bool{}
	for _, owner := range s.Owners {
		for _, t := range r.Plan.Migration.Service(owner).Consumes {
			listed[t.Name] = listed[t.Name] || !t.Found
		}
	}
	return slices.DeleteFunc(s.AllTopics(), func(t string) bool { return !listed[t] })
}

// works waits until the group is seen to read on the target: enough members,
// every partition assigned, positions that move or no lag (R10). Where nobody
// writes, nothing can be seen, and a person has to say so.
func works(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	began := r.Clock.Now()
	idle := began // since when all who could write are there
	var first map[cluster.TopicPartition]cluster.Commit
	for {
		group, err := r.Target.Group(ctx, s.Group)
		if err != nil {
			return nil, "", err
		}
		missing, err := r.unassigned(ctx, s, group)
		if err != nil {
			return nil, "", err
		}
		traffic, lag, err := r.reading(ctx, s, group.Commits)
		if err != nil {
			return nil, "", err
		}
		if first == nil {
			first = group.Commits
		}
		if want, said := r.Plan.Migration.Groups.Members(s.Group); said && want == 0 {
			return nil, fmt.Sprintf("%s is said to have members now and then (members = 0): nobody was seen at work, %s behind", s.Group, plural(int(lag), "record")), nil
		}
		if asked, err := r.nobodyBefore(ctx, s, group, began); err != nil || asked {
			return nil, "a person has said that " + s.Group + " works", err
		}
		if missing == "" && traffic && (lag == 0 || advanced(first, group.Commits)) {
			return nil, fmt.Sprintf("%s works on the target, %s behind", s.Group, plural(int(lag), "record")), nil
		}
		if missing == "" {
			missing = fmt.Sprintf("looking whether its positions move, %s behind", plural(int(lag), "record"))
			if !traffic {
				missing = "no record on the target yet: it cannot be seen whether the consumers work"
				if r.startsToCome(s) {
					began, idle = r.Clock.Now(), r.Clock.Now()
				}
				if r.Clock.Now().Sub(idle) > trafficWait {
					err := r.person(ctx, s, fmt.Sprintf("Nobody writes to the topics of group %q on the target, so its consumers cannot be seen to work (R10). Look for yourself.", s.Group), worksTimeout)
					return nil, "a person has said that " + s.Group + " works", err
				}
			}
		}
		if err := r.waitOn(ctx, s, began, missing); err != nil {
			return nil, "", err
		}
	}
}

// startsToCome reports whether a service has still to start on the target that
// does not wait for this step. It may be the one that writes, or a gate or a
// pause keeps it from that. Once a step has parked, it is not waited for: this
// run ends without it.
func (r *run) startsToCome(s *graph.Step) bool {
	if r.parked.Load() {
		return false
	}
	behind := map[string]bool{}
	queue := []string{s.Address}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		if !behind[address] {
			behind[address] = true
			queue = append(queue, r.Graph.Dependents(address)...)
		}
	}
	for _, other := range r.Graph.Steps {
		if other.Kind == graph.Start && !behind[other.Address] && r.status(other.Address) != state.Done {
			return true
		}
	}
	return false
}

// reading reports whether records have been written to the group's topics on
// the target since the hold, and how many the group has not read.
func (r *run) reading(ctx context.Context, s *graph.Step, commits map[cluster.TopicPartition]cluster.Commit) (traffic bool, lag int64, err error) {
	topics := r.listed(s)
	ends, err := r.Target.LogEnds(ctx, topics)
	if err != nil {
		return false, 0, err
	}
	for _, t := range topics {
		var held holdFacts
		if err := r.decode(graph.TopicAddress(t, "hold"), &held); err != nil {
			return false, 0, err
		}
		for tp, base := range held.Base {
			if !traffic && ends[tp].LastStable > base { // a transaction marker is nobody's record
				if _, traffic, err = r.Target.FirstRecord(ctx, tp, base, ends[tp].LastStable); err != nil {
					return false, 0, err
				}
			}
			from := base
			if c, ok := commits[tp]; ok {
				from = c.Offset
			}
			behind := max(0, ends[tp].LastStable-from)
			if behind > 0 && behind < markerLook {
				// It may be markers only: a topic of transactions that has fallen quiet.
				_, data, err := r.Target.FirstRecord(ctx, tp, from, ends[tp].LastStable)
				if err != nil {
					return false, 0, err
				}
				if !data {
					behind = 0
				}
			}
			lag += behind
		}
	}
	return traffic, lag, nil
}

func advanced(before, now map[cluster.TopicPartition]cluster.Commit) bool {
	for tp, c := range now {
		if c.Offset > before[tp].Offset {
			return true
		}
	}
	return false
}
