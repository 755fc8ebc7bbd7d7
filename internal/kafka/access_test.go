package kafka_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/plan"
)

// guarded shares one cluster of each version with an authorizer; the clients
// are kplan's, by the plaintext listener a super user's, and a plain user's.
func guarded(t *testing.T, v kafkatest.Version) (super, plain *rig) {
	t.Helper()
	c := brokers.Shared(t, kafkatest.Guarded(v, 1))
	super = newRig(t, endpoint.Endpoint{Cluster: "real", Bootstrap: c.Bootstrap(kafkatest.Plaintext)})
	plain = newRig(t, endpoint.Endpoint{
		Cluster: "real", Bootstrap: c.Bootstrap(kafkatest.SASLTLS),
		TLS:  &tls.Config{RootCAs: c.Authority().Pool(), MinVersion: tls.VersionTLS12},
		SASL: &plan.SASL{Mechanism: "SCRAM-SHA-512", Username: "kplan", Password: plan.NewSecret(kafkatest.Password)},
	})
	super.version, plain.version = v, v
	return super, plain
}

func eachVersion(t *testing.T, test func(t *testing.T, v kafkatest.Version)) {
	t.Helper()
	for _, v := range []kafkatest.Version{kafkatest.V4_3_0, kafkatest.V2_8_2} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

func rule(resource, name, principal, operation, permission string) cluster.ACL {
	return cluster.ACL{Resource: resource, Name: name, Pattern: cluster.Literal, Principal: principal, Host: "*", Operation: operation, Permission: permission}
}

// grant makes rules that go with the test.
func (r *rig) grant(t *testing.T, rules ...cluster.ACL) {
	t.Helper()
	if refused, err := r.client.CreateACLs(t.Context(), rules); err != nil || len(refused) > 0 {
		t.Fatalf("%v, %v", refused, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // the test's own has ended
		defer cancel()
		if _, err := r.client.DeleteACLs(ctx, rules); err != nil {
			t.Error(err)
		}
	})
}

// odd are principals as certificates and directories name people.
func odd() []string {
	return []string{
		"User:CN=a b,O=x", `User:CN=quo"ted,OU=back\\slash\,comma`, "User:日本 é ü", "User:a:b=c;d", "User:'; DROP TABLE", "User:*", "Group:admins",
	}
}

// Rules of every kind come back as they were made, and only those that are
// named go.
func TestACLsOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		super, _ := guarded(t, v)
		topic := name("acl")
		var rules []cluster.ACL
		for i, who := range odd() {
			a := rule("topic", topic, who, "read", cluster.Allow)
			if i%2 == 1 {
				a.Permission, a.Host = cluster.Deny, "127.0.0.9"
			}
			rules = append(rules, a)
		}
		prefixed := rule("topic", topic, "User:a", "all", cluster.Allow)
		prefixed.Pattern = cluster.Prefixed
		literal := rule("topic", topic, "User:a", "all", cluster.Allow)
		rules = append(rules, prefixed, literal,
			rule("group", topic, "User:a", "delete", cluster.Deny), rule("transactional_id", topic, "User:a", "write", cluster.Allow),
			rule("cluster", cluster.ClusterName, "User:"+topic, "idempotent_write", cluster.Allow), rule("delegation_token", topic, "User:a", "describe", cluster.Allow),
		)
		if v == kafkatest.V4_3_0 {
			rules = append(rules, rule("user", topic, "User:a", "describe_tokens", cluster.Allow))
		}
		slices.SortFunc(rules, cluster.ACL.Compare)
		for range 2 { // a second time changes nothing
			if refused, err := super.client.CreateACLs(t.Context(), rules); err != nil || len(refused) > 0 {
				t.Fatalf("%v, %v", refused, err)
			}
		}
		ours := func() []cluster.ACL {
			t.Helper()
			ids, err := super.client.BrokerIDs(t.Context())
			if err != nil || len(ids) != 1 {
				t.Fatalf("%v, %v", ids, err)
			}
			all, err := super.client.ACLsOn(t.Context(), ids[0])
			if err != nil {
				t.Fatal(err)
			}
			return slices.DeleteFunc(all, func(a cluster.ACL) bool { return a.Name != topic && a.Principal != "User:"+topic })
		}
		if d := cmp.Diff(rules, ours()); d != "" {
			t.Errorf("made and read (-want +got):\n%s", d)
		}
		if refused, err := super.client.DeleteACLs(t.Context(), []cluster.ACL{literal, rule("topic", topic, "User:nobody", "read", cluster.Allow)}); err != nil || len(refused) > 0 {
			t.Fatalf("%v, %v", refused, err)
		}
		left := slices.DeleteFunc(slices.Clone(rules), func(a cluster.ACL) bool { return a == literal })
		if d := cmp.Diff(left, ours()); d != "" {
			t.Errorf("after deleting one (-want +got):\n%s", d)
		}
		bad := rule("topic", topic, "no colon", "read", cluster.Allow)
		strange := rule("topic", topic, "User:a", "fly", cluster.Allow)
		wrong := rule("cluster", "elsewhere", "User:a", "read", cluster.Allow)
		refused, err := super.client.CreateACLs(t.Context(), []cluster.ACL{bad, strange, wrong})
		if err != nil || refused[strange] == nil || refused[wrong] == nil {
			t.Errorf("rules that no broker takes: %v, %v", refused, err)
		}
		t.Logf("%s about a principal without a type: %v", v, refused[bad])
		if _, err := super.client.DeleteACLs(t.Context(), append(left, bad)); err != nil {
			t.Fatal(err)
		}
		if now := ours(); len(now) != 0 {
			t.Errorf("all deleted, and left are %v", now)
		}
	})
}

// A cluster with 1,000 rules is read and written in one go.
func TestManyACLsOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		super, _ := guarded(t, v)
		prefix := name("many")
		rules := make([]cluster.ACL, 0, 1000)
		for i := range 1000 {
			rules = append(rules, rule("topic", fmt.Sprintf("%s-%d", prefix, i%100), fmt.Sprintf("User:CN=client %d,O=x", i/100), "read", cluster.Allow))
		}
		began := time.Now()
		if refused, err := super.client.CreateACLs(t.Context(), rules); err != nil || len(refused) > 0 {
			t.Fatalf("%v, %v", refused, err)
		}
		made := time.Since(began)
		began = time.Now()
		all, err := super.client.ACLs(t.Context())
		if err != nil || len(all) < len(rules) {
			t.Fatalf("%d rules, %v", len(all), err)
		}
		read := time.Since(began)
		began = time.Now()
		if refused, err := super.client.DeleteACLs(t.Context(), rules); err != nil || len(refused) > 0 {
			t.Fatalf("%v, %v", refused, err)
		}
		t.Logf("%s: 1,000 rules made in %s, read in %s, deleted in %s", v, made, read, time.Since(began))
		left, err := super.client.ACLs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left = slices.DeleteFunc(left, func(a cluster.ACL) bool { return !strings.HasPrefix(a.Name, prefix) }); len(left) > 0 {
			t.Errorf("all deleted, and %d are left: %v", len(left), left[0])
		}
	})
}

// Without an authorizer there are no rules, and everything is allowed.
func TestNoAuthorizerOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		r := onReal(t, v, kafkatest.SASLTLS)
		if _, err := r.client.ACLs(t.Context()); !errors.Is(err, cluster.ErrNoAuthorizer) {
			t.Errorf("reading: %v", err)
		}
		if _, err := r.client.CreateACLs(t.Context(), []cluster.ACL{rule("topic", "x", "User:a", "read", cluster.Allow)}); !errors.Is(err, cluster.ErrNoAuthorizer) {
			t.Errorf("creating: %v", err)
		}
		if _, err := r.client.DeleteACLs(t.Context(), []cluster.ACL{rule("topic", "x", "User:a", "read", cluster.Allow)}); !errors.Is(err, cluster.ErrNoAuthorizer) {
			t.Errorf("deleting: %v", err)
		}
		got, err := r.client.Rights(t.Context(), []string{"x"}, []string{"g"})
		if err != nil || !got.Cluster["create"] || !got.Topics["x"]["write"] || !got.Groups["g"]["read"] {
			t.Errorf("rights: %+v, %v", got, err)
		}
	})
}

// A principal is told what it may do: by rules, by prefix, on what is not there,
// and nothing about what it may not describe.
func TestRightsOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		super, plain := guarded(t, v)
		seen, unseen, planned, group, closed := super.topic(t, 1, nil), super.topic(t, 1, nil), name("planned"), name("g"), name("closed")
		grant := func(rules ...cluster.ACL) { t.Helper(); super.grant(t, rules...) }
		grant(rule("topic", seen, "User:kplan", "read", cluster.Allow), rule("topic", planned, "User:kplan", "alter_configs", cluster.Allow),
			rule("topic", planned, "User:kplan", "describe", cluster.Allow), rule("group", group, "User:kplan", "read", cluster.Allow),
			rule("cluster", cluster.ClusterName, "User:kplan", "create", cluster.Allow))
		got, err := plain.client.Rights(t.Context(), []string{seen, unseen, planned}, []string{group, closed})
		if err != nil {
			t.Fatal(err)
		}
		want := cluster.Rights{
			Cluster: map[string]bool{}, // without Describe it does not tell of Create
			Topics: map[string]map[string]bool{
				seen: {"read": true, "describe": true}, planned: {"describe": true, "alter_configs": true, "describe_configs": true},
			},
			// Whether there ever was a group may not be known either, and to ask about
			// one could make the topic of offsets.
			Groups: map[string]map[string]bool{}, NoGroups: true,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("rights (-want +got):\n%s", d)
		}
		for what, ask := range map[string]func() error{
			"rules":  func() error { _, err := plain.client.ACLs(t.Context()); return err },
			"quotas": func() error { _, err := plain.client.Quotas(t.Context()); return err },
			"users":  func() error { _, err := plain.client.ScramUsers(t.Context()); return err },
		} {
			if err := ask(); !errors.Is(err, cluster.ErrNotAllowed) {
				t.Errorf("%s without the right: %v", what, err)
			}
		}
		mine := rule("topic", seen, "User:x", "read", cluster.Allow)
		var refused *kafka.RefusedError
		if errs, err := plain.client.CreateACLs(t.Context(), []cluster.ACL{mine}); err != nil || !errors.As(errs[mine], &refused) {
			t.Errorf("making rules without the right: %v, %v", errs, err)
		}
		grant(rule("cluster", cluster.ClusterName, "User:kplan", "describe", cluster.Allow))
		got, err = plain.client.Rights(t.Context(), nil, []string{group, closed})
		if err != nil || got.NoGroups || !cmp.Equal(got.Cluster, map[string]bool{"create": true, "describe": true}) || !cmp.Equal(got.Groups, map[string]map[string]bool{group: {"read": true, "describe": true}}) {
			t.Errorf("with Describe on the cluster: %+v, %v", got, err)
		}
		// What checks and the fence conclude from (R8): the class shows, super users
		// are hidden, and what is not set is absent.
		nodes, err := super.client.Nodes(t.Context(), func(string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		configs := nodes[0].Configs
		if _, there := configs["allow.everyone.if.no.acl.found"]; there || configs["authorizer.class.name"].Value == "" || !configs["super.users"].Sensitive {
			t.Errorf("%+v", configs)
		}
	})
}

// Without Describe on transactional ids, a transaction that holds the offsets of a
// group is not refused but hidden (R9): only a rule tells. Without Describe on
// Kafka's own topics there is no answer at all.
func TestHiddenTransactionsOnRealBrokers(t *testing.T) {
	super, plain := guarded(t, kafkatest.V4_3_0)
	group, topic := name("g"), super.topic(t, 1, nil)
	tx := super.transactional(t)
	begin(t, tx)
	produce(t, tx, tp(topic, 0), 1)
	super.commitInTransaction(t, tx, group, tp(topic, 0), 1)
	open, err := super.client.OffsetTransactions(t.Context(), group)
	if err != nil || len(open) != 1 {
		t.Fatalf("a super user sees %v, %v", open, err)
	}
	if _, err := plain.client.OffsetTransactions(t.Context(), group); !kafka.NotAllowed(err) {
		t.Errorf("without any right: %v", err)
	}
	var rules []cluster.ACL
	for _, own := range []string{"__consumer_offsets", "__transaction_state"} {
		rules = append(rules, rule("topic", own, "User:kplan", "describe", cluster.Allow))
	}
	if _, err := super.client.CreateACLs(t.Context(), rules); err != nil {
		t.Fatal(err)
	}
	if open, err := plain.client.OffsetTransactions(t.Context(), group); err != nil || len(open) != 0 {
		t.Errorf("it sees %v, %v: brokers have become more open, and the table may ask for less", open, err)
	}
	ids := rule("transactional_id", "*", "User:kplan", "describe", cluster.Allow)
	if _, err := super.client.CreateACLs(t.Context(), []cluster.ACL{ids}); err != nil {
		t.Fatal(err)
	}
	if open, err := plain.client.OffsetTransactions(t.Context(), group); err != nil || len(open) != 1 {
		t.Errorf("with the right: %v, %v", open, err)
	}
	end(t, tx, kgo.TryAbort)
	if _, err := super.client.DeleteACLs(t.Context(), append(rules, ids)); err != nil {
		t.Fatal(err)
	}
}

// Quotas of every kind of entity are set by key, and others left alone.
func TestQuotasOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		super, _ := guarded(t, v)
		who := name("q") + " CN=a b,O=é"
		own := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(255), rand.IntN(256), rand.IntN(256)) // of this run: nobody takes its quota away
		entities := []cluster.QuotaEntity{
			{User: who}, {ClientID: who}, {User: who, ClientID: who}, {User: who, ClientID: cluster.DefaultEntity}, {User: cluster.DefaultEntity, ClientID: who}, {IP: own},
			{User: cluster.EntityName("<default>"), ClientID: who}, // called so, and not the default of all
		}
		var set []cluster.Quota
		for i, e := range entities {
			key := "producer_byte_rate"
			if e.IP != "" {
				key = "connection_creation_rate"
			}
			set = append(set, cluster.Quota{Entity: e, Values: map[string]float64{key: float64(1000000 + i)}})
		}
		ours := func() []cluster.Quota {
			t.Helper()
			all, err := super.client.Quotas(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return slices.DeleteFunc(all, func(q cluster.Quota) bool { return !slices.Contains(entities, q.Entity) })
		}
		if refused, err := super.client.SetQuotas(t.Context(), set, true); err != nil || len(refused) > 0 || len(ours()) > 0 {
			t.Fatalf("validateOnly: %v, %v, %v", refused, err, ours())
		}
		if refused, err := super.client.SetQuotas(t.Context(), set, false); err != nil || len(refused) > 0 {
			t.Fatalf("%v, %v", refused, err)
		}
		more := []cluster.Quota{{Entity: entities[0], Values: map[string]float64{"request_percentage": 12.5}}}
		if refused, err := super.client.SetQuotas(t.Context(), more, false); err != nil || len(refused) > 0 {
			t.Fatalf("%v, %v", refused, err)
		}
		set[0].Values["request_percentage"] = 12.5
		slices.SortFunc(set, func(a, b cluster.Quota) int { return a.Entity.Compare(b.Entity) })
		if d := cmp.Diff(set, ours()); d != "" {
			t.Errorf("set and read (-want +got):\n%s", d)
		}
		bad := cluster.Quota{Entity: cluster.QuotaEntity{User: who}, Values: map[string]float64{"no_such_rate": 1}}
		var refused *kafka.RefusedError
		for _, validateOnly := range []bool{true, false} {
			if errs, err := super.client.SetQuotas(t.Context(), []cluster.Quota{bad}, validateOnly); err != nil || !errors.As(errs[bad.Entity], &refused) {
				t.Errorf("a key that is none, validateOnly %v: %v, %v", validateOnly, errs, err)
			}
		}
	})
}

// A user is created once, can log in at once, and keeps its password.
func TestScramUsersOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		super, plain := guarded(t, v)
		user := cluster.ScramUser{Name: name("new %20 user,CN=x"), Mechanism: "SCRAM-SHA-512", Iterations: 8192}
		if err := super.client.CreateScramUser(t.Context(), user, "pässword 1"); err != nil {
			t.Fatal(err)
		}
		if users, err := super.client.ScramUsers(t.Context()); err != nil || !slices.Contains(users, user) || !slices.Contains(users, cluster.ScramUser{Name: "kplan", Mechanism: "SCRAM-SHA-256", Iterations: 4096}) {
			t.Errorf("%v, %v", users, err)
		}
		if err := super.client.CreateScramUser(t.Context(), user, "another"); !errors.Is(err, cluster.ErrUserExists) {
			t.Errorf("a second time: %v", err)
		}
		ep := plain.ep
		ep.SASL = &plan.SASL{Mechanism: user.Mechanism, Username: user.Name, Password: plan.NewSecret("pässword 1")}
		client, err := kafka.Open(t.Context(), ep, "")
		if err != nil {
			t.Fatalf("logging in: %v", err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		var refused *kafka.RefusedError
		if err := super.client.CreateScramUser(t.Context(), cluster.ScramUser{Name: name("weak"), Mechanism: "SCRAM-SHA-256", Iterations: 5}, "x"); !errors.As(err, &refused) {
			t.Errorf("too few iterations: %v", err)
		}
		for what, user := range map[string]cluster.ScramUser{
			"a mechanism that is none of SCRAM": {Name: "x", Mechanism: "PLAIN"}, "a name that cannot log in": {Name: "é", Mechanism: "SCRAM-SHA-512"},
		} {
			if err := super.client.CreateScramUser(t.Context(), user, "x"); err == nil {
				t.Errorf("%s is taken", what)
			}
		}
	})
}
