package executor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// judge looks at every condition of a gate at one moment, and returns the
// approvals that count.
func (r *run) judge(ctx context.Context, s *graph.Step, g *plan.Gate, held *lagWatch) ([]GateCondition, []state.Request, error) {
	var all []GateCondition
	now := r.Clock.Now()
	if g.MaxLag != nil {
		c, err := r.lagCondition(ctx, s, g, held, now)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
	}
	if g.Soak > 0 {
		all = append(all, r.soakCondition(s, g, now))
	}
	if g.Verified > 0 {
		c, err := r.verifiedCondition(ctx, g, now)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
	}
	if g.Window != nil {
		all = append(all, windowCondition(g.Window, now))
	}
	var letters []state.Request
	for _, a := range g.Approvals {
		c, letter, err := r.approvalCondition(ctx, s, g, a)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
		if letter != nil {
			letters = append(letters, *letter)
		}
	}
	return all, letters, nil
}

// lagWatch knows since when the lag has been small enough.
type lagWatch struct{ since time.Time }

// lagCondition counts what the selected groups have not read on the source, or
// with a mirror what is not copied.
func (r *run) lagCondition(ctx context.Context, s *graph.Step, g *plan.Gate, held *lagWatch, now time.Time) (GateCondition, error) {
	most := r.number(s.Address, attrMaxLag, *g.MaxLag)
	hold := r.duration(s.Address, attrHold, g.Hold)
	c := GateCondition{Name: "max_lag"}
	left := "unread on the source"
	lag, err := r.sourceLag(ctx)
	unknown := 0
	if r.Mirror != nil {
		left = "not copied"
		var copying CopyLag
		copying, err = r.Mirror.Lag(ctx, r.copiedTopics())
		lag, unknown = copying.Records, copying.Unknown
	}
	if err != nil {
		return c, err
	}
	if unknown > 0 {
		held.since = time.Time{}
		c.Text = fmt.Sprintf("of %s is not known yet how many records are %s, %d at most", plural(unknown, "partition"), left, most)
		return c, nil
	}
	if lag > most {
		held.since = time.Time{}
		c.Text = fmt.Sprintf("%s %s, %d at most", plural(int(lag), "record"), left, most)
		return c, nil
	}
	if held.since.IsZero() {
		held.since = now
	}
	since := now.Sub(held.since)
	c.Met = since >= hold
	c.Text = fmt.Sprintf("%s %s, %d at most", plural(int(lag), "record"), left, most)
	if hold > 0 {
		c.Text += fmt.Sprintf(", held for %s of %s", brief(min(since, hold)), brief(hold))
	}
	return c, nil
}

// sourceLag adds up what the groups of the services have not read on the
// source.
func (r *run) sourceLag(ctx context.Context) (int64, error) {
	var lag int64
	for _, svc := range r.Plan.Migration.Services {
		var topics []string
		for _, t := range svc.Consumes {
			topics = append(topics, t.Name)
		}
		if len(topics) == 0 {
			continue
		}
		for _, name := range svc.Groups {
			group, err := r.Source.Group(ctx, name.Name) // positions before log ends
			if err != nil {
				return 0, err
			}
			ends, err := r.Source.LogEnds(ctx, topics)
			if err != nil {
				return 0, err
			}
			lag += unreadOf(group.Commits, ends)
		}
	}
	return lag, nil
}

func unreadOf(commits map[cluster.TopicPartition]cluster.Commit, ends map[cluster.TopicPartition]cluster.LogEnds) int64 {
	var lag int64
	for tp, e := range ends {
		from := e.LogStart
		if c, ok := commits[tp]; ok {
			from = c.Offset
		}
		lag += max(0, e.LastStable-from)
	}
	return lag
}

// soakCondition counts from the last step that the gate waits for.
func (r *run) soakCondition(s *graph.Step, g *plan.Gate, now time.Time) GateCondition {
	var last time.Time
	r.mu.Lock()
	for _, need := range s.Needs {
		if at := r.state.Steps[need].At; at.After(last) {
			last = at
		}
	}
	r.mu.Unlock()
	c := GateCondition{Name: "soak", Met: last.IsZero() || now.Sub(last) >= g.Soak}
	switch {
	case last.IsZero():
		c.Text = "nothing comes before it"
	case c.Met:
		c.Text = fmt.Sprintf("the last step before it passed %s ago", brief(now.Sub(last)))
	default:
		c.opens = last.Add(g.Soak)
		c.Text = fmt.Sprintf("until %s: %s after the last step before it", last.Add(g.Soak).Format(time.RFC3339), brief(g.Soak))
	}
	return c
}

// verifiedCondition wants a verify of this very plan, which found nothing wrong
// and is not too old.
func (r *run) verifiedCondition(ctx context.Context, g *plan.Gate, now time.Time) (GateCondition, error) {
	c := GateCondition{Name: "verified", Human: true, Command: r.command("verify", "--record"), Text: fmt.Sprintf("no recorded verify within %s", brief(g.Verified))}
	all := r.desk.waiting(state.VerbVerified, "")
	for i, l := range all {
		why := r.refusePlan(l) // it may have been accepted by an apply of another plan
		if i < len(all)-1 {    // only the last one says how things are
			why = "a later verify has overtaken it"
		}
		if why != "" {
			if _, err := r.desk.settle(ctx, l, state.Void, why); err != nil {
				return c, err
			}
			continue
		}
		if now.Sub(l.At) > g.Verified { // another gate may take it
			c.Text += fmt.Sprintf(": the last one is %s old", brief(now.Sub(l.At)))
			continue
		}
		c.Text = fmt.Sprintf("verified by %s %s ago: %s", l.Who, brief(now.Sub(l.At)), l.Value)
		c.Met = l.Value == VerifiedPass
	}
	return c, nil
}

// VerifiedPass is the verdict of a verify that found nothing wrong.
const VerifiedPass = "pass"

func windowCondition(w *plan.Window, now time.Time) GateCondition {
	c := GateCondition{Name: "window", Met: w.Open(now)}
	if c.Met {
		c.Text = "open: " + w.Text
		return c
	}
	next := w.Next(now)
	c.opens = next
	c.Text = fmt.Sprintf("closed until %s, in %s (%s)", next.Format("Mon 2006-01-02 15:04 MST"), brief(next.Sub(now)), w.Text)
	return c
}

func approvalName(a plan.Approval) string { return fmt.Sprintf("approval %q", a.Name) }

// approvalCondition finds the first word that still counts. What was accepted
// and has expired since is void.
func (r *run) approvalCondition(ctx context.Context, s *graph.Step, g *plan.Gate, a plan.Approval) (GateCondition, *state.Request, error) {
	c := GateCondition{Name: approvalName(a), Human: true, Command: r.approveHint(s.Address, a, len(g.Approvals) > 1)}
	for _, l := range append(r.words(s.Address), r.desk.waiting(state.VerbApprove, s.Address)...) {
		if asked, ok := Asked(g, l.As); !ok || asked.Name != a.Name {
			continue
		}
		was := r.standing(l.ID)
		if final(was) && was != state.Effective {
			continue // withdrawn, after an earlier run was cut off that had counted it
		}
		why := cmp.Or(r.refusePlan(l), r.refuseApproval(g, a, l))
		if why != "" && was == state.Effective {
			continue // of an earlier run, and too old by now
		}
		if why != "" {
			if _, err := r.desk.settle(ctx, l, state.Void, why); err != nil {
				return c, nil, err
			}
			continue
		}
		c.Met = true
		c.Text = fmt.Sprintf("given by %s from %s", l.Who, l.From)
		return c, &l, nil
	}
	var rules []string
	if len(a.From) > 0 {
		rules = append(rules, "from "+strings.Join(a.From, " or "))
	}
	if a.Others {
		rules = append(rules, "not from "+r.requester(g.Name))
	}
	if a.Expires > 0 {
		rules = append(rules, "counts for "+brief(a.Expires))
	}
	c.Text = "not given"
	if len(rules) > 0 {
		c.Text += " (" + strings.Join(rules, ", ") + ")"
	}
	return c, nil, nil
}

// brief writes a span of time without what nobody reads.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Minute:
		d = d.Round(time.Minute)
	case d >= time.Second:
		d = d.Round(time.Second)
	default:
		d = d.Round(time.Millisecond)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
