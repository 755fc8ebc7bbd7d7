package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// recordedAtOnce is how many rules one record of the journal names: a topic that
// holds the state takes no larger ones.
const recordedAtOnce = 1000

// grantACLs gives principals the rules that the diff says they lack, by the same
// pure function: one look at each cluster, one record before, one request.
func grantACLs(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome {
	source, target, err := r.access(ctx, func(ctx context.Context, c Cluster, a *cluster.Access) {
		a.ACLs, a.ACLsErr = c.ACLs(ctx)
	})
	if err == nil && source.ACLsErr != nil {
		err = fmt.Errorf("comparing the access rules: %w", source.ACLsErr)
	}
	open := errors.Is(target.ACLsErr, cluster.ErrNoAuthorizer)
	if err == nil && target.ACLsErr != nil && !open {
		err = fmt.Errorf("comparing the access rules: %w", target.ACLsErr)
	}
	if err != nil {
		return all(steps, err)
	}
	if open { // the check that says so was waived
		return same(steps, "nothing to do: the target has no authorizer")
	}
	r.mu.Lock()
	source.ACLs = diff.Without(source.ACLs, FenceRules(r.state))
	r.mu.Unlock()
	by := map[string]diff.ACLChange{}
	for _, c := range diff.ACLs(r.Plan.Migration, source, target) {
		by[c.Principal] = c
	}
	var rules []cluster.ACL
	for _, s := range steps {
		rules = append(rules, by[s.Principal].Create...)
	}
	refused, err := r.grant(ctx, rules)
	if err != nil {
		return all(steps, err)
	}
	out := map[string]outcome{}
	for _, s := range steps {
		became := outcome{text: "as wanted"}
		if n := len(by[s.Principal].Create); n > 0 {
			became.text = fmt.Sprintf("%d created", n)
		}
		for _, a := range by[s.Principal].Create {
			if refusal := refused[a]; refusal != nil {
				became.err = fmt.Errorf("giving %s the rule %q: %w", s.Principal, a, refusal)
				break
			}
		}
		out[s.Address] = became
	}
	return out
}

// grant journals the rules and creates them.
func (r *run) grant(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	var records []state.Record
	for from := 0; from < len(rules); from += recordedAtOnce {
		some := rules[from:min(from+recordedAtOnce, len(rules))]
		records = append(records, state.Record{Granted: &state.Granted{ACLs: some}})
	}
	if err := r.record(records...); err != nil {
		return nil, err
	}
	return r.Target.CreateACLs(context.WithoutCancel(ctx), rules)
}

// setQuotas gives clients the quotas that the diff says they lack.
func setQuotas(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome {
	source, target, err := r.access(ctx, func(ctx context.Context, c Cluster, a *cluster.Access) {
		a.Quotas, a.QuotasErr = c.Quotas(ctx)
	})
	if err = errors.Join(err, source.QuotasErr, target.QuotasErr); err != nil {
		return all(steps, fmt.Errorf("comparing the client quotas: %w", err))
	}
	r.mu.Lock()
	owned := maps.Clone(r.state.Quotas)
	r.mu.Unlock()
	by := map[cluster.QuotaEntity]diff.QuotaChange{}
	for _, c := range diff.Quotas(r.Plan.Migration, source, target, owned) {
		by[c.Entity] = c
	}
	var changes []diff.QuotaChange
	var records []state.Record
	for _, s := range steps {
		c := by[s.Entity]
		if len(c.Set) == 0 {
			continue
		}
		changes = append(changes, c)
		if c.Action == diff.Create { // one that kplan adds to is somebody else's
			records = append(records, state.Record{Granted: &state.Granted{Quota: &c.Becomes}})
		}
	}
	var refused map[cluster.QuotaEntity]error
	if len(records) > 0 {
		err = r.record(records...)
	}
	if err == nil && len(changes) > 0 {
		refused, err = r.Target.SetQuotas(context.WithoutCancel(ctx), diff.QuotasToSet(changes), false)
	}
	if err != nil {
		return all(steps, err)
	}
	out := map[string]outcome{}
	for _, s := range steps {
		c := by[s.Entity]
		became := outcome{text: "as wanted"}
		switch c.Action {
		case diff.Create:
			became.text = "set"
		case diff.Update:
			became.text = "altered"
		}
		if refusal := refused[c.Becomes]; refusal != nil {
			became.err = fmt.Errorf("setting the quota of %s: %w", c.Becomes, refusal)
		}
		out[s.Address] = became
	}
	return out
}

// createUsers creates the SCRAM users that the target lacks. The password goes
// to the target and nowhere else: the journal holds the name.
func createUsers(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome {
	source, target, err := r.access(ctx, func(ctx context.Context, c Cluster, a *cluster.Access) {
		a.Users, a.UsersErr = c.ScramUsers(ctx)
	})
	if err = errors.Join(err, target.UsersErr); err != nil { // the source's are asked for their iterations only
		return all(steps, fmt.Errorf("comparing the SCRAM users: %w", err))
	}
	by := map[string]diff.UserChange{}
	for _, c := range diff.Users(r.Plan.Migration, source, target) {
		by[c.Want.Name] = c
	}
	out := map[string]outcome{}
	for _, s := range steps {
		out[s.Address] = r.createUser(ctx, by[s.User])
	}
	return out
}

func (r *run) createUser(ctx context.Context, c diff.UserChange) outcome {
	if c.Action != diff.Create {
		return outcome{text: "is there"}
	}
	for _, u := range r.Plan.Migration.Users {
		if u.Name != c.Want.Name {
			continue
		}
		if err := r.record(state.Record{Granted: &state.Granted{User: u.Name}}); err != nil {
			return outcome{err: err}
		}
		err := r.Target.CreateScramUser(context.WithoutCancel(ctx), c.Want, u.Password.Reveal())
		if errors.Is(err, cluster.ErrUserExists) {
			return outcome{err: fmt.Errorf("the user has appeared on the target meanwhile, with a password that kplan does not know: %w. Look at kplan diff and apply again", err)}
		}
		return outcome{text: "created", err: err}
	}
	return outcome{err: fmt.Errorf("creating user %q: the plan has no block for it any more", c.Want.Name)}
}

// access looks at both clusters. An error of a cluster stays with its answer;
// the error returned is that of an interrupted run.
func (r *run) access(ctx context.Context, ask func(context.Context, Cluster, *cluster.Access)) (source, target cluster.Access, err error) {
	ask(ctx, r.Source, &source)
	ask(ctx, r.Target, &target)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return source, target, err
}

// all says the same error of all steps, and same the same text.
func all(steps []*graph.Step, err error) map[string]outcome {
	out := map[string]outcome{}
	for _, s := range steps {
		out[s.Address] = outcome{err: err}
	}
	return out
}

func same(steps []*graph.Step, text string) map[string]outcome {
	out := map[string]outcome{}
	for _, s := range steps {
		out[s.Address] = outcome{text: text}
	}
	return out
}

// FenceRules returns the rules that kplan itself has added on the source for a
// fence (R8): they are no part of what the target is to be like.
func FenceRules(st state.State) []cluster.ACL {
	var rules []cluster.ACL
	for _, f := range Fences(st) {
		rules = append(append(rules, f.Deny...), f.Allow...)
	}
	return rules
}
