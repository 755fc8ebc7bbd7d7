package executor

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// unread is what a group has left to read on one partition.
type unread struct {
	tp        cluster.TopicPartition
	position  int64
	committed bool
	end       int64
}

// drain waits until the group has read everything before the boundary on the
// source (R7): a read_committed look from its position shows no data record.
// Topics that only its own service writes are drained when they are quiet.
func drain(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	if r.LeaveOut == DrainWait {
		return nil, "left out", nil
	}
	bounds, err := r.boundsOf(s.Topics)
	if err != nil {
		return nil, "", err
	}
	d := drainage{run: r, step: s, began: r.Clock.Now(), stuck: map[cluster.TopicPartition]int64{}, inner: offsets{}}
	for {
		left, err := d.look(ctx, bounds)
		if err != nil {
			return nil, "", err
		}
		if len(left) == 0 {
			ok, err := d.innerQuiet(ctx)
			if err != nil {
				return nil, "", err
			}
			if ok {
				return nil, fmt.Sprintf("%s has read everything on the source", s.Group), nil
			}
		}
		if err := d.countReaders(ctx); err != nil {
			return nil, "", err
		}
		if limit := r.limit(s, r.Plan.Migration.Scheme.DrainTimeout); r.Clock.Now().Sub(d.began) > limit {
			return nil, "", &TimeoutError{What: fmt.Sprintf("group %q reading everything before the boundary", s.Group), Limit: limit,
				Left: describe(left) + d.nobody, Do: "Look whether its consumers run and keep up (a cron job's have to be run once more); a longer drain_timeout is for you to decide. Then apply again"}
		}
		d.tell(left)
		if err := r.tick(ctx); err != nil {
			return nil, "", err
		}
	}
}

// boundsOf collects the boundaries of topics.
func (r *run) boundsOf(topics []string) (offsets, error) {
	bounds := offsets{}
	for _, t := range topics {
		var facts boundaryFacts
		if err := r.decode(graph.TopicAddress(t, "boundary"), &facts); err != nil {
			return nil, err
		}
		for tp, b := range facts.Ends {
			bounds[tp] = b
		}
	}
	return bounds, nil
}

// drainage is one drain under way.
type drainage struct {
	*run
	step       *graph.Step
	began      time.Time
	stuck      map[cluster.TopicPartition]int64 // the position at the last look
	silent     time.Time                        // since when partitions without a commit hold records
	inner      offsets                          // log ends of inner topics at the last look
	innerSince time.Time
	counted    time.Time // when the group's members were last counted
	nobody     string    // says that it has none
	lastLeft   int64
	lastAt     time.Time
	rate       float64
}

// look returns the partitions on which something is unread.
func (d *drainage) look(ctx context.Context, bounds offsets) ([]unread, error) {
	commits, err := d.Source.StableCommits(ctx, d.step.Group, partitionsOf(bounds))
	if err != nil {
		return nil, err
	}
	var left []unread
	var silent []cluster.TopicPartition
	for tp, end := range bounds {
		commit, committed := commits[tp]
		u := unread{tp: tp, position: commit.Offset, committed: committed, end: end}
		if committed && commit.Offset >= end {
			continue
		}
		// Far from the end there is no need to look into the log; a position that
		// stands still may stand before nothing but markers.
		previous, seen := d.stuck[tp]
		d.stuck[tp] = commit.Offset
		if committed && (!seen || previous != commit.Offset) {
			left = append(left, u)
			continue
		}
		empty, err := d.nothingIn(ctx, &u)
		if err != nil {
			return nil, err
		}
		if empty {
			continue
		}
		if !committed {
			switch d.Plan.Migration.Groups.Uncommitted(d.step.Group) {
			case "latest":
				continue
			case "fail":
				silent = append(silent, tp)
			}
		}
		left = append(left, u)
	}
	sort.Slice(left, func(i, j int) bool { return left[i].tp.String() < left[j].tp.String() })
	return left, d.complain(silent)
}

// nothingIn reports whether no data record lies between the position and the
// boundary. Without a commit it looks from the log's start.
func (d *drainage) nothingIn(ctx context.Context, u *unread) (bool, error) {
	if !u.committed {
		ends, err := d.Source.LogEnds(ctx, []string{u.tp.Topic})
		if err != nil {
			return false, err
		}
		u.position = ends[u.tp].LogStart
	}
	rec, ok, err := d.Source.FirstRecord(ctx, u.tp, u.position, u.end)
	if errors.Is(err, cluster.ErrBehind) {
		return false, nil // the leader does not show yet what is there: looked at again
	}
	if ok {
		u.position = rec.Offset
	}
	return !ok, err
}

// complain fails the step when a group stays without a commit on partitions
// with records: consumers that have just begun need a moment to commit.
func (d *drainage) complain(silent []cluster.TopicPartition) error {
	if len(silent) == 0 {
		d.silent = time.Time{}
		return nil
	}
	now := d.Clock.Now()
	if d.silent.IsZero() {
		d.silent = now
	}
	if now.Sub(d.silent) < max(d.Plan.Migration.Scheme.QuietFor, settleGrace) {
		return nil
	}
	sort.Slice(silent, func(i, j int) bool { return silent[i].String() < silent[j].String() })
	return &UncommittedError{Group: d.step.Group, Partitions: silent}
}

// countReaders looks now and then whether anybody reads with the group: where
// nobody does, waiting alone does not help.
func (d *drainage) countReaders(ctx context.Context) error {
	now := d.Clock.Now()
	if !d.counted.IsZero() && now.Sub(d.counted) < askEvery {
		return nil
	}
	group, err := d.Source.Group(ctx, d.step.Group)
	if err != nil {
		return err
	}
	d.counted, d.nobody = now, ""
	if len(group.Members) == 0 {
		d.nobody = fmt.Sprintf("; nobody reads with %s on the source now, which is waited for: start its consumers there, or run the job that they belong to", d.step.Group)
	}
	return nil
}

// innerQuiet reports whether the topics that only the group's own service
// writes stand still for quiet_for and are read to the end, while the service
// still runs.
func (d *drainage) innerQuiet(ctx context.Context) (bool, error) {
	if len(d.step.Inner) == 0 {
		return true, nil
	}
	ends, err := d.Source.LogEnds(ctx, d.step.Inner)
	if err != nil {
		return false, err
	}
	now := offsets{}
	same := len(d.inner) > 0
	for tp, e := range ends {
		now[tp] = e.LastStable
		same = same && d.inner[tp] == e.LastStable
	}
	if !same {
		d.inner, d.innerSince = now, d.Clock.Now()
		return false, nil
	}
	left, err := d.look(ctx, now)
	if err != nil || len(left) > 0 {
		return false, err
	}
	return d.Clock.Now().Sub(d.innerSince) >= d.Plan.Migration.Scheme.QuietFor, nil
}

// tell reports the records left, the rate and the expected end.
func (d *drainage) tell(left []unread) {
	var total int64
	for _, u := range left {
		total += u.end - u.position
	}
	now := d.Clock.Now()
	if !d.lastAt.IsZero() && now.After(d.lastAt) {
		current := float64(d.lastLeft-total) / now.Sub(d.lastAt).Seconds()
		d.rate = 0.7*d.rate + 0.3*current
	}
	d.lastLeft, d.lastAt = total, now
	p := StepProgress{Left: total, Rate: d.rate, Text: describe(left) + d.nobody}
	if d.rate > 1 {
		p.ETA = time.Duration(float64(total) / d.rate * float64(time.Second)).Round(time.Second)
	}
	d.progress(d.step, p)
}

// describe sums up per topic.
func describe(left []unread) string {
	if len(left) == 0 {
		return "waiting for the service's own topics to fall quiet"
	}
	byTopic := map[string]int64{}
	for _, u := range left {
		byTopic[u.tp.Topic] += u.end - u.position
	}
	topics := make([]string, 0, len(byTopic))
	for t := range byTopic {
		topics = append(topics, t)
	}
	sort.Strings(topics)
	text := ""
	for i, t := range topics {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s: %s left", t, plural(int(byTopic[t]), "record"))
	}
	return text
}
