package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"

	"kplan/checks"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/internal/migration"
	"kplan/internal/workload"
	"kplan/mirror/wire"
	"kplan/plan"
)

// leastUser is kplan's own login where it has the least rights; the services
// log in as a super user.
const leastUser = kafkatest.LeastUser

// strict is a cluster with an authorizer, as services and the plan reach it.
type strict struct {
	end
	super *kafka.Client
	plain []string // where anybody is a super user
}

func newStrict(t *testing.T, v kafkatest.Version, count int) strict {
	t.Helper()
	c := brokers.Shared(t, kafkatest.Guarded(v, count))
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
// that is taken away is named by its check, alone, with what it is for. The way
// back is left to the campaign.
func TestLeastRightsOnRealBrokers(t *testing.T) {
	t.Parallel()
	cases := []leastCase{{"least-up", kafkatest.V2_8_2, kafkatest.V4_3_0, 1, 3}}
	if inCampaign {
		cases = append(cases, leastCase{"least-down", kafkatest.V4_3_0, kafkatest.V2_8_2, 3, 1})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			source, target := newStrict(t, c.source, c.sourceBrokers), newStrict(t, c.target, c.targetCount)
			s := newScenario(t, scenarioOptions{example: "production-first", name: c.name, rate: 50, source: source.end, target: target.end})
			full := s.stage.PlanDir
			bare := c.bare(t, full)
			c.ask(t, full)
			source.stranger(t, c.name+"-foreign")
			target.stranger(t, c.name+"-foreign")
			shop, pricing := "User:"+c.name+" shop,O=x", "User:"+c.name+" pricing"
			reading := allows(pricing, "read", "group", c.name+"-pricing")
			source.change(t, source.super.CreateACLs, allows(shop, "write", "topic", c.name+".events"), allows(pricing, "write", "topic", c.name+".priced"),
				allows(pricing, "read", "topic", c.name+".events"), reading)
			quota := cluster.Quota{Entity: cluster.QuotaEntity{User: c.name + " shop,O=x"}, Values: map[string]float64{"producer_byte_rate": 1e8}}
			if refused, err := source.super.SetQuotas(t.Context(), []cluster.Quota{quota}, false); err != nil || len(refused) > 0 {
				t.Fatalf("%v, %v", refused, err)
			}
			s.start()
			s.flow(20)
			tell := func(dir string, places map[string]strict, apply func(p *plan.Plan, on *migration.Clusters)) {
				p, on := inProcess(t, dir)
				withdraw := c.oneByOne(t, p, on, places)
				apply(p, on)
				withdraw()
			}
			tell(bare, map[string]strict{checks.OnSource: source, checks.OnTarget: target, checks.OnState: source}, func(*plan.Plan, *migration.Clusters) {})
			tell(full, map[string]strict{checks.OnSource: source, checks.OnTarget: target}, func(p *plan.Plan, on *migration.Clusters) {
				source.change(t, source.super.DeleteACLs, reading)
				if d := cmp.Diff([]string{"pricing " + pricing}, rightsFailing(t, p, on)); d != "" {
					t.Errorf("a service without a right (-want +got):\n%s", d)
				}
				if got := s.must(exitError, "diff"); !strings.Contains(got.output, "rights.services") {
					t.Errorf("diff does not say so:\n%s", got.output)
				}
				source.change(t, source.super.CreateACLs, reading)
				s.must(exitDone, "apply", "--yes")
				s.flow(20)
				if r := s.prove(); !r.Clean() {
					t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
				}
			})
		})
	}
}

// placed is a right at a place.
type placed struct {
	checks.Grant
	place string
}

// oneByOne grants the least rights, takes each away in turn, and puts it back.
// The source's and the target's take turns beside one another.
func (l leastCase) oneByOne(t *testing.T, p *plan.Plan, on *migration.Clusters, places map[string]strict) (withdraw func()) {
	t.Helper()
	ground := checks.RightsGround{Plan: p, Transactions: l.source == kafkatest.V4_3_0, NewState: true}
	ground.Source.Groups, ground.Target.Groups = []string{"*"}, []string{"*"}
	ground.Target.Missing = []string{l.name + ".events", l.name + ".priced"}
	const who = "User:" + leastUser
	var source, target []placed
	for _, place := range slices.Sorted(maps.Keys(places)) {
		for _, g := range ground.Grants(place, who) {
			places[place].change(t, places[place].super.CreateACLs, g.Rules...)
			if place == checks.OnTarget {
				target = append(target, placed{g, place})
			} else {
				source = append(source, placed{g, place})
			}
		}
	}
	all := append(slices.Clone(source), target...)
	if got := rightsFailing(t, p, on); len(got) > 0 {
		t.Fatalf("with the least rights: %v", got)
	}
	// The state's own tests show what it needs, and configs are asked for as on
	// the source.
	asked := func(g placed) bool {
		return g.Object != hidden && g.place != checks.OnState && g.Object != "target DescribeConfigs on topics"
	}
	for _, g := range all {
		if asked(g) && l.refuses(t, g.Object, p, on) {
			t.Errorf("what needs %s does not work with it", g.Object)
		}
	}
	for _, away := range inTurns(source, target) {
		var want []string
		for _, g := range away {
			want = append(want, g.Object)
		}
		for _, g := range away {
			places[g.place].change(t, places[g.place].super.DeleteACLs, g.Rules...)
		}
		got := rightsFailing(t, p, on)
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("without %v (-want +got):\n%s", want, d)
		}
		for _, g := range away {
			if asked(g) && !l.refuses(t, g.Object, p, on) {
				t.Errorf("what needs %s works without it: the table asks for too much", g.Object)
			}
			places[g.place].change(t, places[g.place].super.CreateACLs, g.Rules...)
		}
	}
	t.Logf("%d rights, one by one", len(all))
	return func() { // the clusters are shared
		for _, g := range all {
			places[g.place].change(t, places[g.place].super.DeleteACLs, g.Rules...)
		}
	}
}

// inTurns pairs the source's rights with the target's. That to create topics is
// asked for when nothing else is missing, and so goes alone.
func inTurns(source, target []placed) [][]placed {
	var turns [][]placed
	if i := slices.IndexFunc(target, func(g placed) bool { return g.Object == "target Create on topics" }); i >= 0 {
		turns = append(turns, []placed{target[i]})
		target = slices.Delete(slices.Clone(target), i, i+1)
	}
	for i := range max(len(source), len(target)) {
		turns = append(turns, slices.Concat(source[min(i, len(source)):min(i+1, len(source))], target[min(i, len(target)):min(i+1, len(target))]))
	}
	return turns
}

// bare copies the plan to a directory of its own, where it asks for as little as
// it can and keeps its state in a topic.
func (l leastCase) bare(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	edit(t, to, `scheme "production_first"`, `scheme "production_later"`, `migration "`, "state \"kafka\" {\n  cluster = cluster.old\n}\n\nmigration \"")
	return to
}

// ask makes the plan ask for everything that there is.
func (l leastCase) ask(t *testing.T, dir string) {
	t.Helper()
	edit(t, dir, `fence         = "none"`, `fence         = "acl"`,
		"service \"shop\" {\n", fmt.Sprintf("service \"shop\" {\n    principals = [%q]\n", "User:"+l.name+" shop,O=x"),
		"service \"pricing\" {\n", fmt.Sprintf("service \"pricing\" {\n    principals = [%q]\n", "User:"+l.name+" pricing"),
		"    parity {\n", "    parity {\n      existing = \"alter\"\n",
		"  scheme ", fmt.Sprintf(`  waive "capacity.brokers" {
    reason = "a test"
  }

  mirror {}

  acls {
    include = ["User:%[1]s *"]
  }

  quotas {
    include = ["User:%[1]s *"]
  }

  user "%[1]s-new" {
    mechanism = "SCRAM-SHA-512"
    password  = env("TEST_SASL_PASSWORD")
  }

  scheme `, l.name))
}

// edit replaces words of a plan, each once.
func edit(t *testing.T, dir string, words ...string) {
	t.Helper()
	path := filepath.Join(dir, "orders.kplan.hcl")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(words); i += 2 {
		if !strings.Contains(text, words[i]) {
			t.Fatalf("the plan has no %q", words[i])
		}
		text = strings.Replace(text, words[i], words[i+1], 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hidden is the right that nothing is refused without: transactions are hidden
// then. TestHiddenTransactions of internal/kafka shows it.
const hidden = "source Describe on transactional ids"

// refuses reports whether a cluster refuses to do what a right is for, with the
// checks left out.
func (l leastCase) refuses(t *testing.T, object string, p *plan.Plan, c *migration.Clusters) bool {
	t.Helper()
	ctx, side := t.Context(), c.Source
	if strings.HasPrefix(object, "target") {
		side = c.Target
	}
	topic, group, foreign, hour := l.name+".events", l.name+"-pricing", l.name+"-foreign-readers", "3600000"
	var refused map[string]error
	var err error
	switch object {
	case "source DescribeConfigs on the cluster", "target DescribeConfigs on the cluster", "source Describe on the cluster", "target Describe on the cluster":
		var nodes []cluster.Node
		nodes, err = side.Nodes(ctx, func(string) bool { return true })
		for _, n := range nodes {
			if strings.Contains(object, "Configs") && n.NoConfig != "" || strings.Contains(object, "Describe on") && n.NoDisk != "" {
				return true
			}
		}
	case "target AlterConfigs on the cluster":
		entity := cluster.QuotaEntity{User: "nobody"}
		var quotas map[cluster.QuotaEntity]error
		quotas, err = side.SetQuotas(ctx, []cluster.Quota{{Entity: entity, Values: map[string]float64{"producer_byte_rate": 1e9}}}, true)
		refused = map[string]error{"": quotas[entity]}
	case "source Alter on the cluster", "target Alter on the cluster":
		harmless := allows("User:nobody", "read", "topic", topic)
		var rules map[cluster.ACL]error
		rules, err = side.CreateACLs(ctx, []cluster.ACL{harmless})
		refused = map[string]error{"": rules[harmless]}
	case "source Read on topics":
		_, _, err = side.FirstRecord(ctx, cluster.TopicPartition{Topic: topic}, 0, 1)
	case "source DescribeConfigs on topics":
		_, err = side.TopicsNamed(ctx, []string{topic})
	case "target Write on topics":
		at, wireErr := migration.DataPath("", p.Migration.Target, 1<<20)
		if wireErr != nil {
			t.Fatal(wireErr)
		}
		w := wire.New(at)
		defer w.Close()
		_, err = w.ProducerID(ctx)
		if errors.Is(err, kerr.ClusterAuthorizationFailed) {
			return true
		}
	case "target Alter on topics":
		refused, err = side.GrowTopics(ctx, map[string]int{topic: 9}, true)
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

// inProcess loads a plan here and opens its clusters.
func inProcess(t *testing.T, dir string) (*plan.Plan, *migration.Clusters) {
	t.Helper()
	loaded := plan.Load(plan.Options{Dir: dir, Environ: func(name string) (string, bool) {
		return saslPassword, name == "TEST_SASL_PASSWORD"
	}})
	if loaded.Plan == nil {
		t.Fatal(loaded.Diags)
	}
	c, err := (&app{dir: dir}).open(t.Context(), loaded.Plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return loaded.Plan, c
}

// rightsFailing looks at both clusters as diff does and returns what the checks
// of rights miss.
func rightsFailing(t *testing.T, p *plan.Plan, c *migration.Clusters) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := migration.Assess(ctx, p, c, state.State{})
	var broken *migration.BrokenError
	var found []checks.Result
	switch {
	case errors.As(err, &broken):
		found = broken.Checks
	case err != nil:
		t.Fatal(err)
	default:
		found = r.Doc.Checks
	}
	var objects []string
	for _, f := range migration.Lacking(found) {
		objects = append(objects, f.Object.Name)
	}
	return objects
}
