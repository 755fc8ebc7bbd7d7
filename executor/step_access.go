package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
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
	if r.byHand(diff.CheckACLs, source.ACLsErr, target.ACLsErr) {
		return same(steps, untold)
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

// untold is said of a step whose clusters do not tell what it has to compare.
const untold = "left to people, as the plan's waiver says: a cluster does not let kplan look"

// byHand reports whether a cluster refuses to tell, and the plan waives the check
// that says so.
func (r *run) byHand(check string, errs ...error) bool {
	return errors.Is(errors.Join(errs...), cluster.ErrNotAllowed) &&
		slices.ContainsFunc(r.Plan.Migration.Waivers, func(w plan.Waiver) bool { return w.Check == check })
}

// grant journals the rules and creates them. Those that are refused are nobody's.
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
	refused, err := r.Target.CreateACLs(context.WithoutCancel(ctx), rules)
	records = nil
	for some := range slices.Chunk(slices.SortedFunc(maps.Keys(refused), cluster.ACL.Compare), recordedAtOnce) {
		records = append(records, state.Record{Granted: &state.Granted{ACLs: some, Refused: true}})
	}
	return refused, errors.Join(err, r.record(records...))
}

// setQuotas gives clients the quotas that the diff says they lack.
func setQuotas(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome {
	source, target, err := r.access(ctx, func(ctx context.Context, c Cluster, a *cluster.Access) {
		a.Quotas, a.QuotasErr = c.Quotas(ctx)
	})
	if r.byHand(diff.CheckQuotas, source.QuotasErr, target.QuotasErr) {
		return same(steps, untold)
	}
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
	for _, s := range steps {
		changes = append(changes, by[s.Entity])
	}
	refused, err := r.setQuotas(ctx, changes)
	if err != nil {
		return all(steps, err)
	}
	out := map[string]outcome{}
	for _, s := range steps {
		c := by[s.Entity]
		became := outcome{text: quotaText(c)}
		if refusal := refused[c.Becomes]; refusal != nil && len(c.Set) > 0 {
			became.err = fmt.Errorf("setting the quota of %s: %w", c.Becomes, refusal)
		}
		out[s.Address] = became
	}
	return out
}

// setQuotas journals those that are new and sets all. Those that are refused are
// nobody's; one that kplan adds to is somebody else's.
func (r *run) setQuotas(ctx context.Context, changes []diff.QuotaChange) (map[cluster.QuotaEntity]error, error) {
	quotas := diff.QuotasToSet(changes)
	if len(quotas) == 0 {
		return nil, nil
	}
	created := map[cluster.QuotaEntity]bool{}
	for _, c := range changes {
		if c.Action == diff.Create {
			created[c.Becomes] = true
		}
	}
	granted := func(of func(cluster.QuotaEntity) bool, refused bool) error {
		var records []state.Record
		for _, e := range slices.SortedFunc(maps.Keys(created), cluster.QuotaEntity.Compare) {
			if of(e) {
				records = append(records, state.Record{Granted: &state.Granted{Quota: &e, Refused: refused}})
			}
		}
		return r.record(records...)
	}
	if err := granted(func(cluster.QuotaEntity) bool { return true }, false); err != nil {
		return nil, err
	}
	refused, err := r.Target.SetQuotas(context.WithoutCancel(ctx), quotas, false)
	return refused, errors.Join(err, granted(func(e cluster.QuotaEntity) bool { return refused[e] != nil }, true))
}

func quotaText(c diff.QuotaChange) string {
	text := map[diff.Action]string{diff.Create: "set", diff.Update: "altered", "": "as wanted"}[c.Action]
	if left := slices.Concat(c.Stays, c.Torn); len(left) > 0 { // waived
		if c.Action == "" {
			text = "nothing set"
		}
		text += ", not as wanted: " + strings.Join(left, ", ")
	}
	return text
}

// createUsers creates the SCRAM users that the target lacks. The password goes
// to the target and nowhere else: the journal holds the name.
func createUsers(ctx context.Context, r *run, steps []*graph.Step) map[string]outcome {
	source, target, err := r.access(ctx, func(ctx context.Context, c Cluster, a *cluster.Access) {
		a.Users, a.UsersErr = c.ScramUsers(ctx)
	})
	if r.byHand(diff.CheckUsers, target.UsersErr) {
		return same(steps, untold)
	}
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
			if err := r.record(state.Record{Granted: &state.Granted{User: u.Name, Refused: true}}); err != nil {
				return outcome{err: err}
			}
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
