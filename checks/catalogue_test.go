package checks_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

var update = flag.Bool("update", false, "rewrite golden files")

// failures shows every check not passing, at least once.
func failures(t *testing.T) map[string]func() []checks.Result {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	short := func(change func(*checks.Ground)) func() []checks.Result {
		return func() []checks.Result { g := ground(); change(&g); return checks.Capacity(g) }
	}
	brokers := func(change func(*checks.Ground)) func() []checks.Result {
		return func() []checks.Result { g := ground(); change(&g); return checks.Brokers(g) }
	}
	contact := func(stage cluster.Stage, why, do string) func() []checks.Result {
		return func() []checks.Result {
			l := listening(now)
			l.Contacts[1].Failed, l.Contacts[1].Why, l.Contacts[1].Do = stage, why, do
			return checks.Listener(l, "id-1", now)
		}
	}
	position := func(change func(*checks.Observed, *records)) func() []checks.Result {
		return func() []checks.Result {
			o, r := observed()
			change(&o, r)
			return checks.Positions(t.Context(), o, r)
		}
	}
	moving := diff.LeftOf([]diff.Change{{Object: diff.Object{Kind: "topic", Name: "t"}, After: map[string]string{"step": string(graph.Release)}}})
	return map[string]func() []checks.Result{
		checks.NameRightsSource: func() []checks.Result {
			g, told := allowed()
			delete(told.Rights.Topics, "t")
			told.Rights.Cluster = nil
			return checks.Rights(g, checks.OnSource, g.Plan.Migration.Source, told)
		},
		checks.NameRightsTarget: func() []checks.Result {
			g, told := allowed()
			delete(told.Rights.Topics["t"], "alter_configs")
			delete(told.Rights.Groups["g"], "read")
			return checks.Rights(g, checks.OnTarget, g.Plan.Migration.Target, told)
		},
		checks.NameRightsState: func() []checks.Result {
			g, told := allowed()
			told.Rights.Topics["_kplan.orders"] = map[string]bool{"read": true, "describe": true, "describe_configs": true}
			return checks.Rights(g, checks.OnState, g.Plan.Migration.Source, told)
		},
		checks.NameRightsServices: func() []checks.Result {
			g, told := allowed()
			return checks.ServiceRights(g.Plan.Migration, told, told)
		},
		checks.NameConnect: contact(cluster.StageReach, "nothing answers there (connection refused)", "Check that the broker is up."),
		checks.NameTLS:     contact(cluster.StageTLS, "its certificate is self-signed, and the plan does not trust it", "Set ca_file."),
		checks.NameSASL:    contact(cluster.StageLogin, "the broker refuses the credentials", "Check username and password."),
		checks.NameExpiry: func() []checks.Result {
			l := listening(now)
			l.Contacts[0].Certificates[0].NotAfter = now.Add(24 * time.Hour)
			return checks.Listener(l, "id-1", now)
		},
		checks.NameCapacity: short(func(g *checks.Ground) { g.Target.Brokers = g.Target.Brokers[:2]; g.Migration.Target.Capacity = nil }),
		checks.NameWritable: func() []checks.Result {
			g := ground()
			g.Target.Topics["t"].Partitions[0].ISR = []int32{1}
			g.Target.Topics["t"].Configs[cluster.MinInSync] = cluster.Config{Value: "2", Source: cluster.SourceTopic}
			return checks.Writable(g, nil)
		},
		checks.NameTransactions: func() []checks.Result {
			return checks.Transactions(ground(), []cluster.OpenTransaction{{Partition: tp(0), ProducerID: 4711, ProducerEpoch: 2, TransactionalID: "shop-1", Coordinator: 2, Since: now.Add(-time.Hour)}}, nil, now,
				func(cluster.OpenTransaction) string {
					return "kafka-transactions.sh --bootstrap-server a:9092 abort --topic t --partition 0 --start-offset 0"
				})
		},
		checks.NameRacks:    short(func(g *checks.Ground) { g.Target.Brokers[2].Rack = "" }),
		checks.NameReplicas: short(func(g *checks.Ground) { g.Target.Topics["t"].Partitions[1].Replicas = []int32{0, 1} }),
		checks.NameDisk:     short(func(g *checks.Ground) { g.Migration.Target.Capacity.DiskBytes = 30 * gib }),
		checks.NameLogs:     short(func(g *checks.Ground) { g.Target.Replicas[1] = 5000 }),
		checks.NameMessages: short(func(g *checks.Ground) { g.Wants[0].Configs = map[string]string{"max.message.bytes": "1000"} }),
		checks.NameVersions: brokers(func(g *checks.Ground) {
			g.TargetNodes[2].Features = nil
			g.TargetNodes[2].Requests = map[int16]cluster.Versions{1: {Max: 15}}
		}),
		checks.NameLimits: brokers(func(g *checks.Ground) {
			g.TargetNodes[1].Configs["offsets.retention.minutes"] = cluster.Config{Value: "60"}
		}),
		checks.NameAutoCreate: brokers(func(g *checks.Ground) {
			g.TargetNodes[1].Configs["auto.create.topics.enable"] = cluster.Config{Value: "true"}
		}),
		checks.NameOffsets: position(func(o *checks.Observed, _ *records) { delete(o.Target.Groups["g"].Commits, tp(1)) }),
		checks.NameDrained: position(func(o *checks.Observed, _ *records) { o.Source.Groups["g"].Commits[tp(0)] = cluster.Commit{Offset: 9} }),
		checks.NameStray: position(func(o *checks.Observed, r *records) {
			o.Source.LogEnds[tp(0)] = cluster.LogEnds{LogEnd: 12, LastStable: 12}
			r.at[tp(0)] = append(r.at[tp(0)], 11)
		}),
		checks.NameFence:        fencing(func(f *checks.Fencing) { f.Rules = nil }),
		checks.NameFenceEffect:  fencing(func(f *checks.Fencing) { f.Topics["t"] = []string{"User:a", "User:super"} }),
		checks.NameFenceWriters: fencing(func(f *checks.Fencing) { f.Rules = append(f.Rules, rule("User:stray", "write", cluster.Allow)) }),
		checks.NameFenceStands: func() []checks.Result {
			return []checks.Result{checks.Standing("t", []cluster.ACL{rule("User:a", "write", cluster.Deny)}, []cluster.ACL{rule("User:a", "write", cluster.Allow)}, nil)}
		},
		checks.NameFirstRule: func() []checks.Result { return judgeRules(guarded(t, nil)) },
		checks.NameOwnRules:  func() []checks.Result { return judgeRules(guarded(t, nil)) },
		checks.NameACLs:      access(t, func(a *cluster.Access) { a.ACLsErr = cluster.ErrNoAuthorizer }),
		checks.NameQuotas: access(t, func(a *cluster.Access) {
			a.Quotas = []cluster.Quota{{Entity: cluster.QuotaEntity{User: "o-a"}, Values: map[string]float64{"producer_byte_rate": 1}}}
		}),
		checks.NameUsers: access(t, func(a *cluster.Access) { a.UsersErr = nil }),
		checks.NameParity: func() []checks.Result {
			return checks.Parity([]string{"t"}, []diff.Change{{Action: diff.Create, Object: topic("t")}}, nil)
		},
		checks.NameState: func() []checks.Result {
			g := ground()
			g.Source.Others, g.Selected = []string{"g-sums-changelog"}, []string{"g"}
			return checks.StateTopics(g)
		},
		checks.NameMirror: func() []checks.Result {
			g := ground()
			g.Migration.Mirror = &plan.Mirror{}
			g.Wants = []diff.Wanted{{Name: "t"}}
			g.Target.Topics = map[string]cluster.Topic{"t": {Configs: map[string]cluster.Config{"retention.ms": {Value: "5", Source: cluster.SourceTopic}}}}
			return checks.MirrorTarget(g, false, nil)
		},
		checks.NameReaders: func() []checks.Result {
			return checks.FromDiagnostics([]diff.Diagnostic{{Code: "KP2003", Severity: "error", Summary: "Unknown reader", Detail: "group x reads t"}})
		},
		diff.CheckOrder: func() []checks.Result {
			m := &plan.Migration{Scheme: plan.Scheme{Kind: plan.ProductionLater, Range: hcl.Range{}}}
			found, _ := moving.Lint(m, cluster.Snapshot{Keyed: map[string]bool{"t": true}})
			return found
		},
		diff.CheckRetention: func() []checks.Result {
			m := &plan.Migration{Scheme: plan.Scheme{Kind: plan.ProductionFirst, DrainTimeout: time.Hour}, Services: []*plan.Service{{Consumes: refs("t")}}}
			return moving.Retention(m, cluster.Snapshot{Topics: map[string]cluster.Topic{"t": {Configs: map[string]cluster.Config{"retention.ms": {Value: "60000"}}}}}, nil)
		},
	}
}

var waivers = regexp.MustCompile(`waive "([^"]+)"`)

// Every check that a plan can waive, and every one that is shown failing, is
// documented, and every documented one is shown failing with a golden.
func TestCatalogue(t *testing.T) {
	var names []string
	shown := trials(failures(t))
	for _, e := range checks.Catalogue() {
		names = append(names, e.Name)
		t.Run(e.Name, func(t *testing.T) {
			if !strings.HasSuffix(e.Asks, ".") && !strings.Contains(e.Asks, "?") || !strings.HasSuffix(e.Evidence, ".") || !strings.HasSuffix(e.Rights, ".") {
				t.Errorf("not described in sentences: %+v", e)
			}
			if e.Waivable != slices.Contains(plan.CheckNames(), e.Name) {
				t.Errorf("waivable: %v, and the language says the contrary", e.Waivable)
			}
			if e.Verdicts["pass"] == "" || len(e.Verdicts) < 2 {
				t.Errorf("verdicts: %v", e.Verdicts)
			}
			if shown[e.Name] == nil {
				t.Fatal("no case shows it failing")
			}
			var text strings.Builder
			for _, r := range checks.Failing(shown[e.Name]()) {
				if r.Name != e.Name {
					continue
				}
				if e.Verdicts[string(r.Verdict)] == "" {
					t.Errorf("the verdict %s is not documented", r.Verdict)
				}
				for _, waived := range waivers.FindAllStringSubmatch(r.Advice, -1) {
					if !slices.Contains(plan.CheckNames(), waived[1]) {
						t.Errorf("the plan would refuse what is advised: %s", r.Advice)
					}
				}
				fmt.Fprintf(&text, "%s %s %s\nasked  %s\nsaw    %s\nadvice %s\n", r.Verdict, r.Object.Kind, r.Object.Name, r.Asked, r.Saw, r.Advice)
			}
			if text.Len() == 0 {
				t.Fatal("the case that should show it failing does not")
			}
			golden(t, filepath.Join("testdata", e.Name+".txt"), text.String())
		})
	}
	for _, name := range plan.CheckNames() {
		if !slices.Contains(names, name) {
			t.Errorf("%s can be waived and is not in the catalogue", name)
		}
	}
	for name := range shown {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not in the catalogue", name)
		}
	}
	golden(t, filepath.Join("..", "docs", "checks.md"), checks.Document(checks.Catalogue()))
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with make golden)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}
