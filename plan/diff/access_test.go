package diff_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

func globs(t testing.TB, texts ...string) []plan.Pattern {
	t.Helper()
	var all []plan.Pattern
	for _, text := range texts {
		p, err := plan.NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// rule reads "allow User:a read topic orders.a prefixed 10.0.0.1"; what is left
// out is literal, from everywhere.
func rule(text string) cluster.ACL {
	w := append(strings.Fields(text), "", "")
	a := cluster.ACL{Permission: w[0], Principal: w[1], Operation: w[2], Resource: w[3], Name: w[4], Pattern: cluster.Literal, Host: "*"}
	for _, extra := range w[5:] {
		switch extra {
		case "":
		case cluster.Prefixed:
			a.Pattern = extra
		default:
			a.Host = extra
		}
	}
	return a
}

func rules(texts ...string) []cluster.ACL {
	var all []cluster.ACL
	for _, text := range texts {
		all = append(all, rule(text))
	}
	slices.SortFunc(all, cluster.ACL.Compare)
	return all
}

func accessPlan(t testing.TB) *plan.Migration {
	return &plan.Migration{
		Topics: plan.Topics{Include: globs(t, "orders.*")},
		ACLs:   &plan.ACLs{Include: globs(t, "User:o-*"), Becomes: map[string]string{"User:o-a": "User:n-a"}},
		Quotas: &plan.Quotas{Include: globs(t, "User:o-*", "<default>", "User:<default>", "app"), Existing: "report"},
	}
}

func TestACLs(t *testing.T) {
	m := accessPlan(t)
	source := cluster.Access{ACLs: rules(
		"allow User:o-a read topic orders.a", "deny User:o-a write topic orders.a 10.0.0.1", "allow User:o-a read topic billing",
		"allow User:o-a all topic bill prefixed", "allow User:o-a describe topic *", "allow User:o-a read group billing prefixed",
		"allow User:o-a idempotent_write cluster kafka-cluster", "allow User:o-a write transactional_id o prefixed",
		"allow User:o-b read topic billing", "allow User:x read topic orders.a", "allow User:* describe topic orders.a",
	)}
	target := cluster.Access{ACLs: rules("allow User:n-a read topic orders.a", "allow User:n-a read topic own", "allow User:x all topic orders.a")}
	got := diff.ACLs(m, source, target)
	want := []diff.ACLChange{
		{Principal: "User:o-a", Becomes: "User:n-a",
			Create: rules("deny User:n-a write topic orders.a 10.0.0.1", "allow User:n-a all topic bill prefixed", "allow User:n-a describe topic *",
				"allow User:n-a read group billing prefixed", "allow User:n-a idempotent_write cluster kafka-cluster", "allow User:n-a write transactional_id o prefixed"),
			Extra: rules("allow User:n-a read topic own"), LeftOut: rules("allow User:o-a read topic billing")},
		{Principal: "User:o-b", Becomes: "User:o-b", LeftOut: rules("allow User:o-b read topic billing")},
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreFields(diff.ACLChange{}, "Wanted")); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	target.ACLs = append(target.ACLs, got[0].Create...)
	again := diff.ACLs(m, source, target)
	if len(again[0].Create) > 0 {
		t.Errorf("once more: %v", again[0].Create)
	}
	var notes []string
	for _, c := range diff.ACLRows(m, again, source) {
		if c.Action != diff.Noteworthy {
			t.Errorf("once more: %+v", c)
		}
		notes = append(notes, c.Object.Name+": "+c.Reason)
	}
	if d := cmp.Diff([]string{
		`User:o-a: the target has one rule of User:n-a that the source has not, left as it is: allow User:n-a read on topic "own" from *`,
		`topics: 2 rules of topics that the plan does not select: left out, such as allow User:o-a read on topic "billing" from *; allow User:o-b read on topic "billing" from *`,
		`User:*: the source has one rule for everybody on topics that move, and acls.include does not cover User:*, so they are not created: allow User:* describe on topic "orders.a" from *`,
	}, notes); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}

func TestQuotas(t *testing.T) {
	m := accessPlan(t)
	e := func(user, client, ip string) cluster.QuotaEntity {
		return cluster.QuotaEntity{User: user, ClientID: client, IP: ip}
	}
	q := func(of cluster.QuotaEntity, key string, value float64) cluster.Quota {
		return cluster.Quota{Entity: of, Values: map[string]float64{key: value}}
	}
	source := cluster.Access{Quotas: []cluster.Quota{
		q(e("o-a", "", ""), "producer_byte_rate", 10), q(e("o-a", "app", ""), "producer_byte_rate", 5), q(e("<default>", "", ""), "consumer_byte_rate", 3),
		q(e(cluster.EntityName("<default>"), "", ""), "producer_byte_rate", 6),
		q(e("", "", "<default>"), "connection_creation_rate", 2), q(e("", "app", ""), "request_percentage", 12.5), q(e("x", "", ""), "producer_byte_rate", 1), {Entity: e("o-empty", "", "")},
	}}
	target := cluster.Access{Quotas: []cluster.Quota{q(e("n-a", "", ""), "producer_byte_rate", 11), q(e("", "app", ""), "consumer_byte_rate", 9)}}
	see := func(owned map[cluster.QuotaEntity]bool) []string {
		changes := diff.Quotas(m, source, target, owned)
		var all []string
		for _, c := range diff.QuotaRows(changes, map[cluster.QuotaEntity]diff.Answer{e("", "app", ""): {Reason: "no"}}) {
			all = append(all, fmt.Sprintf("%s %s %v %v %s%s", c.Action, c.Object.Name, c.Before, c.After, c.Broker, c.Reason))
		}
		for _, c := range diff.QuotaChecks(m, changes, source, target) {
			all = append(all, fmt.Sprintf("%s %s %s", c.Verdict, c.Object.Name, c.Saw))
		}
		return all
	}
	rest := []string{
		`create user="<default>" map[] map[producer_byte_rate:6] unasked`, // called so: no default of all
		"create user=<default> map[] map[consumer_byte_rate:3] unasked",
		"create user=o-a client-id=app map[] map[becomes:user=n-a client-id=app producer_byte_rate:5] unasked",
	}
	first := []string{
		"create ip=<default> map[] map[connection_creation_rate:2] unasked",
		"update client-id=app map[] map[request_percentage:12.5] rejectedno",
	}
	note := "note client-id=app map[] map[] unaskedthe target limits what the source does not, and that stays: consumer_byte_rate 9"
	want := append(append(slices.Clone(first), rest...), note, "fail user=o-a producer_byte_rate 10 wanted, producer_byte_rate 11 on the target")
	if d := cmp.Diff(want, see(nil)); d != "" {
		t.Errorf("existing = report (-want +got):\n%s", d)
	}
	altered := "update user=o-a map[producer_byte_rate:11] map[becomes:user=n-a producer_byte_rate:10] unasked"
	want = append(append(slices.Clone(first), rest[0], rest[1], altered, rest[2]), note)
	if d := cmp.Diff(want, see(map[cluster.QuotaEntity]bool{e("n-a", "", ""): true})); d != "" {
		t.Errorf("kplan's own (-want +got):\n%s", d)
	}
	m.Quotas.Existing = "alter"
	if d := cmp.Diff(want, see(nil)); d != "" {
		t.Errorf("existing = alter (-want +got):\n%s", d)
	}
}

func TestUsers(t *testing.T) {
	m := accessPlan(t)
	m.Services = []*plan.Service{{Principals: []plan.NamedRef{{Name: "User:svc"}}}}
	m.Users = []plan.User{
		{Name: "n-a", Mechanism: "SCRAM-SHA-512"}, {Name: "new", Mechanism: "SCRAM-SHA-256", Iterations: 5000},
		{Name: "there", Mechanism: "SCRAM-SHA-256"}, {Name: "other", Mechanism: "SCRAM-SHA-256"}, {Name: "weak", Mechanism: "SCRAM-SHA-256", Iterations: 9000},
	}
	u := func(name, mechanism string, iterations int) cluster.ScramUser {
		return cluster.ScramUser{Name: name, Mechanism: "SCRAM-SHA-" + mechanism, Iterations: iterations}
	}
	source := cluster.Access{Users: []cluster.ScramUser{u("o-a", "512", 8192), u("o-b", "256", 4096), u("o-b", "512", 4096), u("o-c", "256", 4096), u("svc", "256", 4096), u("x", "256", 4096)}}
	target := cluster.Access{Users: []cluster.ScramUser{u("o-c", "512", 4096), u("there", "256", 6000), u("other", "512", 4096), u("weak", "256", 4096)}}
	changes := diff.Users(m, source, target)
	var got []string
	for _, c := range diff.UserRows(changes) {
		got = append(got, fmt.Sprintf("%s %s %v", c.Action, c.Address, c.After))
	}
	for _, c := range diff.UserChecks(m, changes, source, target) {
		got = append(got, fmt.Sprintf("%s %s %s", c.Verdict, c.Object.Name, c.Saw))
	}
	if d := cmp.Diff([]string{
		`create prepare.user["n-a"] map[iterations:8192 mechanism:SCRAM-SHA-512]`,
		`create prepare.user["new"] map[iterations:5000 mechanism:SCRAM-SHA-256]`,
		"fail other SCRAM-SHA-256 with 4096 iterations wanted, SCRAM-SHA-512 with 4096 iterations on the target",
		"fail weak SCRAM-SHA-256 with 9000 iterations wanted, SCRAM-SHA-256 with 4096 iterations on the target",
		"fail o-b missing on the target, and no user block gives it (on the source: SCRAM-SHA-256, SCRAM-SHA-512)",
		"fail svc missing on the target, and no user block gives it (on the source: SCRAM-SHA-256)",
	}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// What cannot be read is a verdict of its own, and never a panic or a change.
func TestUnreadableAccess(t *testing.T) {
	m := accessPlan(t)
	m.Users = []plan.User{{Name: "o-a"}}
	refused := fmt.Errorf("reading: %w", cluster.ErrNotAllowed)
	for _, c := range []struct {
		name           string
		source, target cluster.Access
		want           []string
	}{
		{"no authorizer on the source", cluster.Access{ACLsErr: cluster.ErrNoAuthorizer}, cluster.Access{}, nil},
		{"none on either", cluster.Access{ACLsErr: cluster.ErrNoAuthorizer}, cluster.Access{ACLsErr: cluster.ErrNoAuthorizer}, nil},
		{"none on the target", cluster.Access{ACLs: rules("allow User:o-a read topic orders.a")}, cluster.Access{ACLsErr: cluster.ErrNoAuthorizer}, []string{"acls.parity target fail"}},
		{"refused", cluster.Access{ACLsErr: refused, UsersErr: refused}, cluster.Access{QuotasErr: errors.New("unsupported version"), UsersErr: refused},
			[]string{"acls.parity source error", "quotas.parity target error", "users.parity source error", "users.parity target error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := diff.CompareAccess(m, c.source, c.target, nil)
			var got []string
			for _, check := range a.Checks(m, c.source, c.target) {
				got = append(got, check.Name+" "+check.Object.Name+" "+string(check.Verdict))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, row := range a.Rows(m, c.source, nil) {
				if row.Action != diff.Noteworthy && row.Object.Kind != "user" {
					t.Errorf("%+v", row)
				}
			}
		})
	}
}

// A saved plan is stale when a rule, a quota or a user has moved, and not when
// those of others have.
func TestAccessFingerprint(t *testing.T) {
	m := accessPlan(t)
	m.Users = []plan.User{{Name: "o-a", Password: plan.NewSecret("canary")}}
	base := cluster.Access{
		ACLs:   rules("allow User:o-a read topic orders.a", "allow User:x read topic orders.a"),
		Quotas: []cluster.Quota{{Entity: cluster.QuotaEntity{User: "o-a"}, Values: map[string]float64{"producer_byte_rate": 10}}},
	}
	print := func(source, target cluster.Access) map[string]string {
		return diff.Fingerprint(cluster.Snapshot{Access: source}, cluster.Snapshot{Access: target}, m)
	}
	was := print(base, cluster.Access{})
	for name, c := range map[string]struct {
		source, target cluster.Access
		moved          bool
	}{
		"same":              {base, cluster.Access{}, false},
		"others on target":  {base, cluster.Access{ACLs: rules("allow User:x read topic z")}, false},
		"others on source":  {cluster.Access{ACLs: append(rules("allow User:y read topic z"), base.ACLs...), Quotas: base.Quotas}, cluster.Access{}, false},
		"a rule":            {cluster.Access{ACLs: rules("allow User:o-a write topic orders.a"), Quotas: base.Quotas}, cluster.Access{}, true},
		"a rule on target":  {base, cluster.Access{ACLs: rules("allow User:n-a read topic z")}, true},
		"a quota":           {cluster.Access{ACLs: base.ACLs}, cluster.Access{}, true},
		"a quota on target": {base, cluster.Access{Quotas: []cluster.Quota{{Entity: cluster.QuotaEntity{User: "n-a"}, Values: map[string]float64{"x": 1}}}}, true},
		"a user":            {base, cluster.Access{Users: []cluster.ScramUser{{Name: "o-a"}}}, true},
	} {
		if moved := diff.Moved(was, print(c.source, c.target)); len(moved) > 0 != c.moved {
			t.Errorf("%s: %q", name, moved)
		}
	}
	if strings.Contains(fmt.Sprint(was), "canary") {
		t.Error("the password is in the fingerprint")
	}
}

// Thousands of rules are compared in no time.
func TestManyRules(t *testing.T) {
	m := accessPlan(t)
	var source cluster.Access
	for i := range 5000 {
		source.ACLs = append(source.ACLs, rule(fmt.Sprintf("allow User:o-%d read topic orders.%d", i%50, i)))
	}
	began := time.Now()
	n := 0
	for _, c := range diff.ACLs(m, source, cluster.Access{}) {
		n += len(c.Create)
	}
	t.Logf("5,000 rules in %s", time.Since(began))
	if n != 5000 {
		t.Errorf("%d to create", n)
	}
}

// Taken out: that two clients of the source may become one. Where they disagree
// neither value is set; else one entity gets all.
func TestQuotasThatBecomeOne(t *testing.T) {
	m := accessPlan(t)
	m.ACLs.Becomes = map[string]string{"User:o-a": "User:n", "User:o-b": "User:n"}
	quota := func(user string, values map[string]float64) cluster.Quota {
		return cluster.Quota{Entity: cluster.QuotaEntity{User: user}, Values: values}
	}
	source := cluster.Access{Quotas: []cluster.Quota{
		quota("o-a", map[string]float64{"producer_byte_rate": 10, "request_percentage": 5, "controller_mutation_rate": 2}),
		quota("o-b", map[string]float64{"producer_byte_rate": 20, "consumer_byte_rate": 7, "controller_mutation_rate": 2}),
	}}
	changes := diff.Quotas(m, source, cluster.Access{}, nil)
	want := []cluster.Quota{quota("n", map[string]float64{"request_percentage": 5, "consumer_byte_rate": 7, "controller_mutation_rate": 2})}
	if d := cmp.Diff(want, diff.QuotasToSet(changes)); d != "" {
		t.Errorf("to set (-want +got):\n%s", d)
	}
	var saw []string
	for _, c := range diff.QuotaChecks(m, changes, source, cluster.Access{}) {
		saw = append(saw, fmt.Sprintf("%s %s %s", c.Verdict, c.Object.Name, c.Saw))
	}
	const other = " wanted, and another client of the source that becomes user=n on the target has another value: kplan sets neither"
	if d := cmp.Diff([]string{"fail user=o-a producer_byte_rate 10" + other, "fail user=o-b producer_byte_rate 20" + other}, saw); d != "" {
		t.Errorf("checks (-want +got):\n%s", d)
	}
	target := cluster.Access{Quotas: want}
	for _, c := range diff.Quotas(m, source, target, nil) {
		if len(c.Set) > 0 || len(c.Extra) > 0 {
			t.Errorf("afterwards: %+v", c)
		}
	}
}
