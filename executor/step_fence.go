package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/graph"
)

// fenceLimit is how long brokers may take to show a rule, or that it is gone.
const fenceLimit = 5 * time.Minute

// shutOut denies the stopped writers of a topic to write it on the source, and
// sees that every broker knows (R8). What it adds is recorded before.
func shutOut(ctx context.Context, r *run, s *graph.Step) (any, string, error) {
	if r.LeaveOut == ShutOut {
		return nil, s.Topic + " is left without a fence", nil
	}
	if err := r.gone(ctx, s.Owners, s.Address); err != nil {
		return nil, "", err
	}
	rules, err := r.Source.ACLs(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("reading the rules on the source before fencing %q: %w", s.Topic, err)
	}
	deny := denials(s)
	allow, err := r.openFirst(s.Topic, rules)
	if err != nil {
		return nil, "", err
	}
	if err := r.intendFence(s.Topic, deny, allow, rules); err != nil {
		return nil, "", err
	}
	// What has begun is brought to its end: half a fence shuts everybody out.
	var brokers []int32
	for _, some := range [][]cluster.ACL{allow, deny} { // in this order: the first rule on a topic shuts the others out
		if len(some) == 0 {
			continue
		}
		refused, err := r.Source.CreateACLs(context.WithoutCancel(ctx), some)
		if errors.Is(err, cluster.ErrNotShown) {
			err = nil // waited for below, for longer, and said aloud
		}
		if err := errors.Join(append(refusals(refused), err)...); err != nil {
			return nil, "", fmt.Errorf("fencing %q: %w", s.Topic, err)
		}
		brokers, err = r.everyBroker(ctx, awaited{
			rules: some, there: true, limit: r.limit(s, fenceLimit), tell: func(text string) { r.progress(s, StepProgress{Text: text}) },
		})
		if err != nil {
			return nil, "", err
		}
	}
	text := fmt.Sprintf("%s may no longer write %s on the source, as %s", strings.Join(s.Principals, ", "), s.Topic, shownBy(brokers))
	return fenceFacts{Deny: deny, Brokers: brokers}, text, nil
}

func shownBy(brokers []int32) string {
	if len(brokers) == 1 {
		return "its broker shows"
	}
	return fmt.Sprintf("all %d brokers show", len(brokers))
}

// denials are the rules of the step: never for everybody, and about nothing but
// writing this topic (R8).
func denials(s *graph.Step) []cluster.ACL {
	var all []cluster.ACL
	for _, p := range s.Principals {
		all = append(all, cluster.ACL{
			Resource: "topic", Name: s.Topic, Pattern: cluster.Literal, Principal: p, Host: "*", Operation: "write", Permission: cluster.Deny,
		})
	}
	return all
}

// openFirst is the rule that has to stand before the first DENY on a topic
// without any rule: all that were let in by allow.everyone.if.no.acl.found would
// be shut out by it (R8). Brokers do not tell that setting, and where it is off
// the same rule would let everybody in: so the plan has to say it.
func (r *run) openFirst(topic string, rules []cluster.ACL) ([]cluster.ACL, error) {
	mine := r.fenceOf(topic)
	for _, a := range rules {
		if a.Covers("topic", topic) && !slices.Contains(mine.Deny, a) && !slices.Contains(mine.Allow, a) {
			return nil, nil
		}
	}
	if a := r.Plan.Migration.Source.Authorizer; a == nil || !a.AllowEveryone {
		return nil, &UnruledError{Topic: topic, Cluster: r.Plan.Migration.Source.Name}
	}
	return []cluster.ACL{{
		Resource: "topic", Name: topic, Pattern: cluster.Literal, Principal: cluster.Anybody, Host: "*", Operation: "all", Permission: cluster.Allow,
	}}, nil
}

// intendFence records what is about to be added. What is there already and was
// not intended before is somebody else's, and stays so.
func (r *run) intendFence(topic string, deny, allow, rules []cluster.ACL) error {
	f := r.fenceOf(topic)
	add := func(to, wanted []cluster.ACL) []cluster.ACL {
		to = slices.Clone(to)
		for _, a := range wanted {
			if !slices.Contains(rules, a) && !slices.Contains(to, a) {
				to = append(to, a)
			}
		}
		return to
	}
	f.Topic = topic
	before := len(f.Deny) + len(f.Allow)
	f.Deny, f.Allow = add(f.Deny, deny), add(f.Allow, allow)
	if len(f.Deny)+len(f.Allow) == before {
		return nil
	}
	return r.record(state.Record{Fence: &f})
}

func (r *run) fenceOf(topic string) state.Fence {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Fences[topic]
}

// awaited is what every broker has to show.
type awaited struct {
	rules []cluster.ACL
	there bool // or else gone
	limit time.Duration
	// without is after how long it goes on without the brokers that cannot be
	// asked; zero: it does not.
	without time.Duration
	tell    func(string)
}

// everyBroker waits until every broker shows the rules, or none of them does. A
// broker that cannot be asked is waited for: what it lets in is not known.
func (r *run) everyBroker(ctx context.Context, a awaited) ([]int32, error) {
	began := r.Clock.Now()
	for {
		brokers, left, silent, err := r.behind(ctx, a)
		if err != nil || left == "" && silent == "" {
			return brokers, err
		}
		waited := r.Clock.Now().Sub(began)
		switch {
		case left == "" && a.without > 0 && waited > a.without:
			r.emit(Noted{Text: silent + ": going on without it"})
			return brokers, nil
		case left == "":
			left = silent
		}
		if waited > a.limit {
			what := "every broker of the source knowing the fence's rules"
			if !a.there {
				what = "every broker of the source having forgotten the fence's rules"
			}
			return nil, &TimeoutError{What: what, Limit: a.limit, Left: left, Do: "Mend or stop that broker, then apply again"}
		}
		a.tell(left)
		if err := r.tick(ctx); err != nil {
			return nil, err
		}
	}
}

// behind names a broker that does not show the rules as wanted, and one that
// cannot be asked; "" when there is none.
func (r *run) behind(ctx context.Context, a awaited) (brokers []int32, left, silent string, err error) {
	all, err := r.Source.BrokerIDs(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, "", "", context.Cause(ctx)
	case err != nil:
		return nil, "", fmt.Sprintf("the source does not tell its brokers: %v", err), nil
	case len(all) == 0:
		return nil, "", "the source tells of no broker", nil
	}
	for _, id := range all {
		now, err := r.Source.ACLsOn(ctx, id)
		switch {
		case ctx.Err() != nil:
			return nil, "", "", context.Cause(ctx)
		case errors.Is(err, cluster.ErrNoAuthorizer), errors.Is(err, cluster.ErrNotAllowed), fatal(err):
			return nil, "", "", err
		case err != nil:
			silent = fmt.Sprintf("broker %d cannot be asked for its rules: %v", id, err)
			continue
		}
		brokers = append(brokers, id)
		for _, rule := range a.rules {
			if slices.Contains(now, rule) != a.there {
				left = fmt.Sprintf("broker %d does not follow yet: %s", id, rule)
			}
		}
	}
	return brokers, left, silent, nil
}

// stillFenced looks whether the rules are there at the end of a boundary's wait:
// tools that own a cluster's rules take away what they do not know.
func (r *run) stillFenced(ctx context.Context, topic string) error {
	s := r.Graph.Step(graph.TopicAddress(topic, "fence"))
	if s == nil || r.LeaveOut == ShutOut {
		return nil
	}
	rules, err := r.Source.ACLs(ctx)
	if err != nil {
		return fmt.Errorf("seeing that the fence of %q still stands: %w", topic, err)
	}
	for _, a := range denials(s) {
		if !slices.Contains(rules, a) {
			return &FenceGoneError{Topic: topic, Rule: a}
		}
	}
	return nil
}

func refusals(refused map[cluster.ACL]error) []error {
	var all []error
	for a, err := range refused {
		all = append(all, fmt.Errorf("the rule (%s): %w", a, err))
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return all
}
