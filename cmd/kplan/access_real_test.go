package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/examples"
	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

// userPassword is the canary: it may be in no output and in no file.
const userPassword = "canary-of-the-user-4711"

// ruled is a cluster with an authorizer, with a client that may do everything.
type ruled struct {
	bootstrap []string
	client    *kafka.Client
}

// strictly is the cluster that the tests of rights use as well. kplan is a super
// user there.
func strictly(v kafkatest.Version, count int) func(*testing.T) ruled {
	return func(t *testing.T) ruled {
		c := newStrict(t, v, count)
		return ruled{bootstrap: c.plain, client: c.super}
	}
}

func (r ruled) topics(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := r.client.CreateTopic(t.Context(), cluster.TopicSpec{Name: name, Partitions: 1, ReplicationFactor: 1}, false); err != nil {
			t.Fatal(err)
		}
	}
}

func (r ruled) rules(t *testing.T, rules ...cluster.ACL) {
	t.Helper()
	if refused, err := r.client.CreateACLs(t.Context(), rules); err != nil || len(refused) > 0 {
		t.Fatalf("%v, %v", refused, err)
	}
}

func (r ruled) quotas(t *testing.T, quotas ...cluster.Quota) {
	t.Helper()
	if refused, err := r.client.SetQuotas(t.Context(), quotas, false); err != nil || len(refused) > 0 {
		t.Fatalf("%v, %v", refused, err)
	}
}

func (r ruled) rulesOf(t *testing.T, of func(cluster.ACL) bool) []cluster.ACL {
	t.Helper()
	rules, err := r.client.ACLs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rules, func(a cluster.ACL) bool { return !of(a) })
}

// planned is the example "access", with names of its own.
type planned struct {
	t   *testing.T
	dir string
	env []string
}

func newPlanned(t *testing.T, name string, source, target ruled) planned {
	t.Helper()
	list := func(addresses []string) string { return `["` + strings.Join(addresses, `", "`) + `"]` }
	p := planned{t: t, dir: t.TempDir(), env: append(os.Environ(), "ORDERS_PASSWORD="+userPassword,
		"KPLAN_VAR_old="+list(source.bootstrap), "KPLAN_VAR_new="+list(target.bootstrap))}
	if err := examples.Write("access", p.dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, "orders.kplan.hcl")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	waivers := ""
	for _, check := range []string{"capacity.brokers", "capacity.disk", "brokers.parity"} { // of clusters that are what they are
		waivers += fmt.Sprintf("  waive %q { reason = \"a test\" }\n", check)
	}
	mine := strings.TrimSuffix(strings.ReplaceAll(string(text), "orders", name), "}\n") + waivers + "}\n"
	if err := os.WriteFile(path, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// must runs kplan, which never shows the password.
func (p planned) must(code int, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), built().kplan, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("kplan %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	if bytes.Contains(out, []byte(userPassword)) {
		p.t.Errorf("kplan %s shows the password", args[0])
	}
	return string(out)
}

// Rules of every kind, quotas and users of the source are made on the target,
// under their names there; once more there is nothing to do, and what the target
// had of its own is as it was.
func TestAccessParityOnRealBrokers(t *testing.T) {
	t.Parallel()
	type route struct {
		name           string
		source, target func(*testing.T) ruled
		many           int // rules
	}
	routes := []route{{"par28", strictly(kafkatest.V2_8_2, 1), strictly(kafkatest.V4_3_0, 3), 0}}
	if inCampaign {
		routes = append(routes, route{"par43", strictly(kafkatest.V4_3_0, 3), strictly(kafkatest.V4_3_0, 1), 5000})
	}
	for _, c := range routes {
		t.Run(c.name, func(t *testing.T) {
			source, target := c.source(t), c.target(t)
			n := c.name
			source.topics(t, n+".a", n+".b", "other-"+n)
			moving := accessRules(n, "User:"+n+"-old")
			for i := range c.many {
				moving = append(moving, cluster.ACL{Resource: "topic", Name: fmt.Sprintf("%s.%d", n, i%100), Pattern: cluster.Literal, Principal: fmt.Sprintf("User:%s-many-%d", n, i/100), Host: "*", Operation: "read", Permission: cluster.Allow})
			}
			source.rules(t, moving...)
			source.rules(t, allows("User:"+n+"-old", "read", "topic", "other-"+n), allows("User:stranger-"+n, "read", "topic", n+".a"))
			own := []cluster.ACL{allows("User:"+n+"-new", "read", "topic", "own-"+n), allows("User:keeper-"+n, "all", "topic", "own-"+n)}
			target.rules(t, own...)
			source.quotas(t,
				cluster.Quota{Entity: cluster.QuotaEntity{User: n + "-old"}, Values: map[string]float64{"producer_byte_rate": 1 << 20, "request_percentage": 12.5}},
				cluster.Quota{Entity: cluster.QuotaEntity{User: n + "-odd, \"x\""}, Values: map[string]float64{"controller_mutation_rate": 3}},
				cluster.Quota{Entity: cluster.QuotaEntity{User: n + "-old", ClientID: cluster.DefaultEntity}, Values: map[string]float64{"consumer_byte_rate": 5}},
				cluster.Quota{Entity: cluster.QuotaEntity{ClientID: n + "-app"}, Values: map[string]float64{"consumer_byte_rate": 7}},
				cluster.Quota{Entity: cluster.QuotaEntity{IP: "10.9.8.7"}, Values: map[string]float64{"connection_creation_rate": 9}},
				cluster.Quota{Entity: cluster.QuotaEntity{User: "stranger-" + n}, Values: map[string]float64{"consumer_byte_rate": 11}},
			)
			target.quotas(t, cluster.Quota{Entity: cluster.QuotaEntity{User: n + "-new"}, Values: map[string]float64{"consumer_byte_rate": 13}})
			if err := source.client.CreateScramUser(t.Context(), cluster.ScramUser{Name: n + "-old", Mechanism: "SCRAM-SHA-512", Iterations: 8192}, "of-the-source"); err != nil {
				t.Fatal(err)
			}

			p := newPlanned(t, n, source, target)
			p.must(exitDifferences, "verify")
			p.must(exitDone, "diff", "--out", "saved")
			began := time.Now()
			p.must(exitDone, "apply", "saved")
			t.Logf("%d rules: apply took %s", len(moving), time.Since(began).Round(10*time.Millisecond))
			began = time.Now()
			p.must(exitDone, "diff", "--detailed-exitcode")
			t.Logf("diff took %s", time.Since(began).Round(10*time.Millisecond))
			if out := p.must(exitDone, "verify"); !strings.Contains(out, "acls.parity") {
				t.Errorf("verify does not speak of rules:\n%s", out)
			}

			want := append([]cluster.ACL{}, own...)
			for _, a := range moving {
				a.Principal = strings.Replace(a.Principal, n+"-old", n+"-new", 1)
				want = append(want, a)
			}
			slices.SortFunc(want, cluster.ACL.Compare)
			if d := cmp.Diff(want, target.rulesOf(t, func(a cluster.ACL) bool { return strings.Contains(a.Principal, n) })); d != "" {
				t.Errorf("rules on the target (-want +got):\n%.3000s", d)
			}
			p.quotasAreThere(target, n)
			users, err := target.client.ScramUsers(t.Context())
			if err != nil || !slices.Contains(users, cluster.ScramUser{Name: n + "-new", Mechanism: "SCRAM-SHA-512", Iterations: 8192}) {
				t.Errorf("users on the target: %v, %v", users, err)
			}
			p.passwordIsNowhere()
		})
	}
}

// Without an authorizer on the target the rules cannot be made, which is a
// verdict; without one on the source there is nothing to make.
func TestAccessWithoutAuthorizerOnRealBrokers(t *testing.T) {
	t.Parallel()
	guarded := strictly(kafkatest.V2_8_2, 1)(t)
	open := ruled{bootstrap: real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.Plaintext).conn.Bootstrap}
	guarded.rules(t, allows("User:noauth-a", "read", "topic", "noauth.a"))
	p := newPlanned(t, "noauth", guarded, open)
	if out := p.must(exitDone, "diff"); !strings.Contains(out, "the target has no authorizer: everybody may do everything there, and one rule cannot be created") {
		t.Errorf("diff does not say so:\n%s", out)
	}
	if out := p.must(exitError, "apply", "--yes"); !strings.Contains(out, "check acls.parity fails for cluster target") {
		t.Errorf("apply does not say so:\n%s", out)
	}
	if out := newPlanned(t, "noauth", open, guarded).must(exitDone, "diff", "--full"); !strings.Contains(out, "the source has no authorizer, so there are no rules that the target could get") {
		t.Errorf("diff of the other direction does not say so:\n%s", out)
	}
}

// accessRules are rules of all kinds for one principal, and one with odd signs.
func accessRules(n, principal string) []cluster.ACL {
	rule := func(resource, name, pattern, host, operation, permission string) cluster.ACL {
		return cluster.ACL{Resource: resource, Name: name, Pattern: pattern, Principal: principal, Host: host, Operation: operation, Permission: permission}
	}
	odd := allows("User:CN="+n+`,OU=a\, "b",O=ü`, "write", "topic", n+".a")
	return []cluster.ACL{
		rule("topic", n+".a", cluster.Literal, "*", "read", cluster.Allow),
		rule("topic", n+".a", cluster.Literal, "10.0.0.1", "write", cluster.Deny),
		rule("topic", n+".", cluster.Prefixed, "*", "describe_configs", cluster.Allow),
		rule("group", n+"-", cluster.Prefixed, "*", "all", cluster.Allow),
		rule("transactional_id", n, cluster.Literal, "*", "write", cluster.Allow),
		rule("cluster", cluster.ClusterName, cluster.Literal, "*", "idempotent_write", cluster.Allow),
		rule("delegation_token", n, cluster.Literal, "*", "describe", cluster.Allow),
		odd,
	}
}

func (p planned) quotasAreThere(target ruled, n string) {
	p.t.Helper()
	quotas, err := target.client.Quotas(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	got := map[cluster.QuotaEntity]map[string]float64{}
	for _, q := range quotas {
		if strings.Contains(q.Entity.String(), n) || q.Entity.IP != "" {
			got[q.Entity] = q.Values
		}
	}
	want := map[cluster.QuotaEntity]map[string]float64{
		{User: n + "-new"}:                                  {"producer_byte_rate": 1 << 20, "request_percentage": 12.5, "consumer_byte_rate": 13},
		{User: n + "-odd, \"x\""}:                           {"controller_mutation_rate": 3},
		{User: n + "-new", ClientID: cluster.DefaultEntity}: {"consumer_byte_rate": 5},
		{ClientID: n + "-app"}:                              {"consumer_byte_rate": 7},
		{IP: "10.9.8.7"}:                                    {"connection_creation_rate": 9},
	}
	if d := cmp.Diff(want, got); d != "" {
		p.t.Errorf("quotas on the target (-want +got):\n%s", d)
	}
}

// passwordIsNowhere searches everything that kplan has written.
func (p planned) passwordIsNowhere() {
	p.t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(userPassword)) {
			p.t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		p.t.Error(err)
	}
}
