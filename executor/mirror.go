package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// Copying begins and ends the copy of topics.
type Copying interface {
	// Begin copies the topics, or goes on where an earlier run has left off. It
	// returns when the copy is under way.
	Begin(ctx context.Context, topics []string) error
	// End ends the copy of the topics: when it returns no process of the mirror
	// writes to them, nor will one that wakes up late (R18).
	End(ctx context.Context, topics []string) error
}

// Copied tells how far the copy is. The error of both says why a partition
// cannot be copied any further.
type Copied interface {
	// Lag tells how much of the topics is not copied yet.
	Lag(ctx context.Context, topics []string) (CopyLag, error)
	// Translate returns the places on the target of positions on the source.
	// Those are left out before which not everything is copied yet.
	Translate(ctx context.Context, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]CopyPlace, error)
}

// CopyPlace is where a position on the source is on the target. Whoever begins at
// Offset misses nothing; where the copy does not know any more exactly where that
// is, the true place is at Latest at most, and up to so many records are read that
// lie before the position. Else the two are one.
type CopyPlace struct {
	Offset, Latest int64
}

// CopyLag is how much is not copied yet.
type CopyLag struct {
	Records int64
	// Unknown is of how many partitions nothing has told yet how far their copy is;
	// all that their logs have is in Records.
	Unknown int
	// Unattended is for how long nobody copies: no worker gives a sign of life.
	Unattended time.Duration
	Text       string // the rate, the time it will take, what limits it
}

// String says it for people.
func (l CopyLag) String() string {
	text := plural(int(l.Records), "record") + " to copy"
	if l.Unknown > 0 {
		text += fmt.Sprintf(" at most, since of %s is not known yet how far the copy is", plural(l.Unknown, "partition"))
	}
	if l.Text != "" {
		text += ", " + l.Text
	}
	return text
}

// Throttled holds the copy back, at any time; 0: not at all.
type Throttled interface {
	Throttle(ctx context.Context, bytesPerSecond int64) error
}

// Mirror is the copy of records as the engine sees it.
type Mirror interface {
	Copying
	Copied
	Throttled
}

// copiedTopics returns the topics that are on the target and whose copy has not
// ended.
func (r *run) copiedTopics() []string {
	start := r.Graph.Step(graph.MirrorAddress("", "start"))
	if start == nil {
		return nil
	}
	ended := r.endedRest()
	var topics []string
	for _, t := range start.Topics {
		stop := r.Graph.CopyStop(t)
		if stop != nil && r.status(stop.Address) != state.Done && !ended[t] && r.status(graph.TopicAddress(t, "")) == state.Done {
			topics = append(topics, t)
		}
	}
	return topics
}

// endedRest returns the topics among those that no service uses whose copy has
// ended, maybe in an earlier run of a smaller plan.
func (r *run) endedRest() map[string]bool {
	ended := map[string]bool{}
	var facts endFacts
	if r.hasFacts(graph.RestStop) && r.decode(graph.RestStop, &facts) == nil {
		for _, t := range facts.Topics {
			ended[t] = true
		}
	}
	return ended
}

// copyMore lets topics that have joined the selection be copied as well: the
// steps that are about all topics are done again for them (R3).
func (r *run) copyMore() {
	fresh := map[string]bool{}
	start := r.Graph.Step(graph.MirrorAddress("", "start"))
	if start == nil {
		return
	}
	for _, t := range start.Topics {
		if r.status(graph.TopicAddress(t, "")) != state.Done {
			fresh[t] = true
		}
	}
	for _, s := range r.Graph.Steps {
		switch s.Kind {
		case graph.Override, graph.MirrorStart, graph.CaughtUp, graph.MirrorDrain, graph.MirrorStop:
		default:
			continue
		}
		about := slices.ContainsFunc(s.Topics, func(t string) bool { return fresh[t] }) || s.Kind == graph.CaughtUp && len(s.Topics) == 0 && len(fresh) > 0
		if about && r.status(s.Address) == state.Done {
			r.again(s.Address)
		}
	}
}

// goOnCopying takes the copy up again that an earlier run had begun: it is no
// step that passes but goes on beside them. What was given back to a topic
// after its copy, which a restore has undone (R13), is taken again first.
func (r *run) goOnCopying(ctx context.Context) error {
	if err := r.giveBackOrphans(ctx); err != nil {
		return err
	}
	topics := r.copiedTopics()
	if len(topics) == 0 || r.attempt(graph.MirrorAddress("", "start")) == 0 {
		return nil
	}
	if err := r.override(ctx, topics); err != nil {
		return err
	}
	return r.Mirror.Begin(ctx, topics)
}

// watchThrottle gives the mirror the rate of the plan, and what people set
// instead, for as long as the run goes on.
func (r *run) watchThrottle(ctx context.Context) (ended <-chan struct{}) {
	over := make(chan struct{})
	if r.Mirror == nil {
		close(over)
		return over
	}
	go func() {
		defer close(over)
		failed := ""
		for given := int64(-1); ; {
			rate := r.Plan.Migration.Mirror.BytesPerSecond
			if set, err := parseRate(r.setting(graph.MirrorAddress("", "start"), attrRate)); err == nil {
				rate = set
			}
			if rate != given {
				switch err := r.Mirror.Throttle(ctx, rate); {
				case err == nil:
					given, failed = rate, ""
				case err.Error() != failed: // said once
					failed = err.Error()
					r.emit(Noted{Text: "the mirror could not be told its rate: " + failed})
				}
			}
			if r.tick(ctx) != nil {
				return
			}
		}
	}()
	return over
}

// mirrorStart begins to copy.
func mirrorStart(ctx context.Context, r *run, _ *graph.Step) (any, string, error) {
	topics := r.copiedTopics()
	if err := r.Mirror.Begin(ctx, topics); err != nil {
		return nil, "", err
	}
	return nil, plural(len(topics), "topic") + " under way", nil
}

// caughtUpWithin is how fast a mark that is set at the source's log ends has to
// be passed: then what is left to copy in the pause takes no longer, if the
// load stays the same (R27).
const caughtUpWithin = 10 * time.Second

// caughtUp sets marks at the ends of the source's logs until one is passed in
// good time: under load the lag itself is never zero. Before a service's stop it
// is about the service's topics, as far as they are still copied.
func caughtUp(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	for {
		topics := r.copiedTopics()
		if len(s.Topics) > 0 {
			topics = slices.DeleteFunc(topics, func(t string) bool { return !slices.Contains(s.Topics, t) })
		}
		if len(topics) == 0 {
			return nil, "nothing is left to copy", nil
		}
		if err := r.samePartitions(ctx, s, topics); err != nil {
			return nil, "", err
		}
		set := r.Clock.Now()
		marks, err := r.stableEnds(ctx, topics)
		if err != nil {
			return nil, "", err
		}
		if err := r.passed(ctx, s, topics, marks); err != nil {
			return nil, "", err
		}
		if took := r.Clock.Now().Sub(set); took <= caughtUpWithin {
			return nil, fmt.Sprintf("%s copied up to where they ended %s ago", plural(len(topics), "topic"), brief(took)), nil
		}
	}
}

func (r *run) stableEnds(ctx context.Context, topics []string) (offsets, error) {
	ends, err := r.Source.LogEnds(ctx, topics)
	if err != nil {
		return nil, err
	}
	stable := offsets{}
	for tp, e := range ends {
		stable[tp] = e.LastStable
	}
	return stable, nil
}

// passed waits until everything before the marks is copied.
func (r *run) passed(ctx context.Context, s *graph.Step, topics []string, marks offsets) error {
	for {
		there, err := r.Mirror.Translate(ctx, marks)
		if err != nil || len(there) == len(marks) {
			return err
		}
		lag, err := r.Mirror.Lag(ctx, topics)
		if err != nil {
			return err
		}
		if lag.Unattended > unattendedLimit {
			return &TimeoutError{What: "a sign of life of the mirror's workers", Limit: unattendedLimit, Left: lag.String(), Do: "Start one, then apply again"}
		}
		r.progress(s, StepProgress{Text: lag.String()})
		if err := r.tick(ctx); err != nil {
			return err
		}
	}
}

// unattendedLimit is for how long the copy may wait for somebody to carry it out,
// while no service stands still for it.
const unattendedLimit = 10 * time.Minute

func (r *run) tellLag(ctx context.Context, s *graph.Step, topics []string) error {
	lag, err := r.Mirror.Lag(ctx, topics)
	if err != nil {
		return err
	}
	r.progress(s, StepProgress{Text: lag.String()})
	return nil
}
