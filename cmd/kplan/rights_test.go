package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/internal/workload"
	"kplan/plan"
)

// leastUser is kplan's own login where it has the least rights; the services
// log in as a super user.
const leastUser = "least"

// strict is a cluster with an authorizer, as services and the plan reach it.
type strict struct {
	end
	super *kafka.Client
	plain []string // where anybody is a super user
}

func newStrict(t *testing.T, v kafkatest.Version, count int) strict {
	t.Helper()
	c := brokers.Shared(t, kafkatest.Options{
		Version: v, Brokers: count, Listeners: []kafkatest.Listener{kafkatest.SASLTLS}, Authorizer: true,
		Users: []kafkatest.User{{Name: saslUser, Password: saslPassword, Super: true}, {Name: leastUser, Password: saslPassword}},
	})
	super, err := kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "strict", Bootstrap: c.Bootstrap(kafkatest.Plaintext)}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := super.Close(); err != nil {
			t.Error(err)
		}
	})
	ca := c.CAFile(t)
	return strict{super: super, plain: c.Bootstrap(kafkatest.Plaintext), end: end{
		conn: workload.Connection{
			Bootstrap: c.Bootstrap(kafkatest.SASLTLS), TLS: &workload.TLS{CAFile: ca},
			SASL: &workload.SASL{Mechanism: "SCRAM-SHA-512", Username: saslUser, Password: saslPassword},
		},
		hcl: fmt.Sprintf("  tls {\n    ca_file = %q\n  }\n  sasl {\n    mechanism = \"SCRAM-SHA-512\"\n    username = %q\n    password = env(\"TEST_SASL_PASSWORD\")\n  }\n", ca, leastUser),
	}}
}

// change makes or deletes rules, as a super user.
func (s strict) change(t *testing.T, change func(context.Context, []cluster.ACL) (map[cluster.ACL]error, error), rules ...cluster.ACL) {
	t.Helper()
	if refused, err := change(t.Context(), rules); err != nil || len(refused) > 0 {
		t.Fatalf("%v, %v", refused, err)
	}
}

func (s strict) grant(t *testing.T, rules ...cluster.ACL) {
	t.Helper()
	s.change(t, s.super.CreateACLs, rules...)
}

func (s strict) revoke(t *testing.T, rules ...cluster.ACL) {
	t.Helper()
	s.change(t, s.super.DeleteACLs, rules...)
}

// stranger gives the cluster a group that is nobody's business.
func (s strict) stranger(t *testing.T, topic string) {
	t.Helper()
	err := s.super.CreateTopic(t.Context(), cluster.TopicSpec{Name: topic, Partitions: 1, ReplicationFactor: 1}, false)
	if err == nil {
		err = s.super.Commit(t.Context(), topic+"-readers", map[cluster.TopicPartition]cluster.Commit{{Topic: topic}: {}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func allows(who, operation, resource, name string) cluster.ACL {
	return cluster.ACL{Resource: resource, Name: name, Pattern: cluster.Literal, Principal: who, Host: "*", Operation: operation, Permission: cluster.Allow}
}

type leastCase struct {
	name                       string
	source, target             kafkatest.Version
	sourceBrokers, targetCount int
}

// kplan with the least rights and no more carries a service over; each right
// that is taken away is named by its check, alone, with what it is for.
func TestLeastRightsOnRealBrokers(t *testing.T) {
	t.Parallel()
	for _, c := range []leastCase{
		{"least-up", kafkatest.V2_8_2, kafkatest.V4_3_0, 1, 3},
		{"least-down", kafkatest.V4_3_0, kafkatest.V2_8_2, 3, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			source, target := newStrict(t, c.source, c.sourceBrokers), newStrict(t, c.target, c.targetCount)
			s := newScenario(t, scenarioOptions{example: "production-first", name: c.name, rate: 50, source: source.end, target: target.end})
			fenceWriters(t, s, c.name)
			source.stranger(t, c.name+"-foreign")
			target.stranger(t, c.name+"-foreign")
			shop, pricing := "User:"+c.name+" shop,O=x", "User:"+c.name+" pricing"
			for _, at := range []strict{source, target} {
				at.grant(t, allows(shop, "write", "topic", c.name+".events"), allows(pricing, "write", "topic", c.name+".priced"),
					allows(pricing, "read", "topic", c.name+".events"), allows(pricing, "read", "group", c.name+"-pricing"))
			}
			s.start()
			s.flow(20)

			p, open := s.inProcess(t)
			ground := checks.RightsGround{Plan: p, Transactions: c.source == kafkatest.V4_3_0}
			ground.Source.Groups, ground.Target.Groups = []string{"*"}, []string{"*"}
			ground.Target.Missing = []string{c.name + ".events", c.name + ".priced"}
			places := map[string]strict{checks.OnSource: source, checks.OnTarget: target}
			for place, at := range places {
				least := ground.Grants(place, "User:"+leastUser)
				for _, g := range least {
					at.grant(t, g.Rules...)
				}
				t.Cleanup(func() { // others use the clusters, too
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					for _, g := range least {
						if _, err := at.super.DeleteACLs(ctx, g.Rules); err != nil {
							t.Error(err)
						}
					}
				})
			}
			if got := rightsFailing(t, p, open); len(got) > 0 {
				t.Fatalf("with the least rights: %v", got)
			}
			for _, place := range slices.Sorted(maps.Keys(places)) {
				for _, g := range ground.Grants(place, "User:"+leastUser) {
					places[place].revoke(t, g.Rules...)
					if d := cmp.Diff([]string{g.Object}, rightsFailing(t, p, open)); d != "" {
						t.Errorf("without %s (-want +got):\n%s", g.Object, d)
					}
					shown := g.Object == unasked
					if !shown && !c.refuses(t, g.Object, open) {
						t.Errorf("what needs %s works without it: the table asks for too much", g.Object)
					}
					places[place].grant(t, g.Rules...)
					if !shown && c.refuses(t, g.Object, open) {
						t.Errorf("what needs %s does not work with it", g.Object)
					}
				}
			}
			target.revoke(t, allows(pricing, "read", "group", c.name+"-pricing"))
			if d := cmp.Diff([]string{"pricing " + pricing}, rightsFailing(t, p, open)); d != "" {
				t.Errorf("a service without a right (-want +got):\n%s", d)
			}
			if got := s.must(exitError, "diff"); !strings.Contains(got.output, "rights.services") {
				t.Errorf("diff does not say so:\n%s", got.output)
			}
			target.grant(t, allows(pricing, "read", "group", c.name+"-pricing"))
			s.must(exitDone, "apply", "--yes")
			s.flow(20)
			if r := s.prove(); !r.Clean() {
				t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
			}
		})
	}
}

// unasked is the right that nothing is refused without: transactions are hidden
// then. TestHiddenTransactions of internal/kafka shows it.
const unasked = "source Describe on transactional ids"

// refuses reports whether a cluster refuses to do what a right is for, with the
// checks left out.
func (l leastCase) refuses(t *testing.T, object string, open func() *clusters) bool {
	t.Helper()
	c, ctx := open(), t.Context()
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	side := c.source
	if strings.HasPrefix(object, "target") {
		side = c.target
	}
	topic, group, foreign, hour := l.name+".events", l.name+"-pricing", l.name+"-foreign-readers", "3600000"
	var refused map[string]error
	var err error
	switch object {
	case "source DescribeConfigs on the cluster", "target DescribeConfigs on the cluster", "target Describe on the cluster":
		var nodes []cluster.Node
		nodes, err = side.Nodes(ctx, func(string) bool { return true })
		for _, n := range nodes {
			if strings.Contains(object, "Configs") && n.NoConfig != "" || strings.Contains(object, "Describe on") && n.NoDisk != "" {
				return true
			}
		}
	case "source Alter on the cluster":
		harmless := allows("User:nobody", "read", "topic", topic)
		var rules map[cluster.ACL]error
		rules, err = side.CreateACLs(ctx, []cluster.ACL{harmless})
		refused = map[string]error{"": rules[harmless]}
	case "source Read on topics":
		_, _, err = side.FirstRecord(ctx, cluster.TopicPartition{Topic: topic}, 0, 1)
	case "source DescribeConfigs on topics":
		_, err = side.TopicsNamed(ctx, []string{topic})
	case "source Describe on groups", "target Describe on groups":
		_, err = side.Group(ctx, foreign)
	case "source Read on groups":
		err = side.RemoveMembers(ctx, group, []cluster.Member{{ID: "long-gone"}})
	case "source Describe on topics":
		_, err = side.OffsetTransactions(ctx, group)
		if errors.Is(err, cluster.ErrTransactionsUnknown) {
			err = nil
		}
	case "target Create on topics":
		refused, err = side.CreateTopics(ctx, []cluster.TopicSpec{{Name: topic, Partitions: 1, ReplicationFactor: 1}}, true)
	case "target AlterConfigs on topics":
		refused, err = side.AlterTopics(ctx, map[string]map[string]*string{topic: {"retention.ms": &hour}}, true)
	case "target Read on topics", "target Read on groups":
		err = side.Commit(ctx, group, map[cluster.TopicPartition]cluster.Commit{{Topic: topic}: {}})
	default:
		t.Errorf("nothing is known that needs %s", object)
	}
	for _, r := range refused {
		err = errors.Join(err, r)
	}
	var said *kafka.RefusedError
	return kafka.NotAllowed(err) || errors.As(err, &said) && strings.Contains(strings.ToLower(said.Code+said.Text), "authoriz")
}

// fenceWriters gives the writers of the example principals and a fence.
func fenceWriters(t *testing.T, s *scenario, name string) {
	t.Helper()
	path := s.stage.PlanDir + "/orders.kplan.hcl"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), `fence         = "none"`, `fence         = "acl"`, 1)
	text = strings.Replace(text, "service \"shop\" {\n", fmt.Sprintf("service \"shop\" {\n    principals = [%q]\n", "User:"+name+" shop,O=x"), 1)
	text = strings.Replace(text, "service \"pricing\" {\n", fmt.Sprintf("service \"pricing\" {\n    principals = [%q]\n", "User:"+name+" pricing"), 1)
	text = strings.Replace(text, "  scheme ", "  waive \"capacity.brokers\" {\n    reason = \"a test\"\n  }\n\n  scheme ", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// inProcess loads the scenario's plan here, and returns how to open its clusters.
func (s *scenario) inProcess(t *testing.T) (*plan.Plan, func() *clusters) {
	t.Helper()
	loaded := plan.Load(plan.Options{Dir: s.stage.PlanDir, Environ: func(name string) (string, bool) {
		return saslPassword, name == "TEST_SASL_PASSWORD"
	}})
	if loaded.Plan == nil {
		t.Fatal(loaded.Diags)
	}
	return loaded.Plan, func() *clusters {
		t.Helper()
		c, err := (&app{dir: s.stage.PlanDir}).open(t.Context(), loaded.Plan)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// rightsFailing looks at both clusters as diff does and returns what the checks
// of rights miss.
func rightsFailing(t *testing.T, p *plan.Plan, open func() *clusters) []string {
	t.Helper()
	c := open()
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := look(ctx, p, c, state.State{})
	var broken *brokenError
	var found []checks.Result
	switch {
	case errors.As(err, &broken):
		found = broken.checks
	case err != nil:
		t.Fatal(err)
	default:
		found = r.doc.Checks
	}
	var objects []string
	for _, f := range lacking(found) {
		objects = append(objects, f.Object.Name)
	}
	return objects
}
