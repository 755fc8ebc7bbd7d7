package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

var update = flag.Bool("update", false, "rewrite the goldens")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func refs(names ...string) []plan.NamedRef {
	var all []plan.NamedRef
	for _, n := range names {
		all = append(all, plan.NamedRef{Name: n})
	}
	return all
}

func topicOf(name string, partitions, replicas int, configs map[string]cluster.Config) cluster.Topic {
	t := cluster.Topic{Name: name, Configs: configs}
	for i := range partitions {
		t.Partitions = append(t.Partitions, cluster.Partition{ID: int32(i), Replicas: make([]int32, replicas)})
	}
	return t
}

func set(value string) cluster.Config {
	return cluster.Config{Value: value, Source: cluster.SourceTopic}
}

func inherited(value string) cluster.Config {
	return cluster.Config{Value: value, Source: cluster.SourceDefault}
}

// document is a diff with a bit of everything, made by the real packages.
func document(t *testing.T, scheme plan.SchemeKind, gates ...*plan.Gate) diff.Doc {
	t.Helper()
	pattern, err := plan.NewPattern("orders.*", hcl.Range{})
	if err != nil {
		t.Fatal(err)
	}
	m := &plan.Migration{
		Name:   "orders",
		Scheme: plan.Scheme{Kind: scheme, DrainTimeout: 2 * time.Hour, QuietFor: 10 * time.Second, Fence: "none"},
		Topics: plan.Topics{Include: []plan.Pattern{pattern}, Parity: plan.Parity{ReplicationFactor: 3}},
		Services: []*plan.Service{
			{Name: "shop", Produces: refs("orders.events")},
			{Name: "pricing", Consumes: refs("orders.events"), Produces: refs("orders.priced"), Groups: refs("orders-pricing")},
			{Name: "warehouse", Consumes: refs("orders.priced"), Groups: refs("orders-warehouse"), Switch: plan.Switch{Manual: &plan.ManualSwitch{}}},
		},
		Waivers: []plan.Waiver{{Check: diff.CheckOrder, Reason: "prices are absolute"}},
		Gates:   gates,
	}
	source := cluster.Snapshot{At: time.Date(2026, 11, 22, 10, 14, 0, 0, time.UTC), Topics: map[string]cluster.Topic{}}
	target := cluster.Snapshot{At: source.At.Add(time.Second), Topics: map[string]cluster.Topic{}, Defaults: map[string]cluster.Config{
		"retention.ms": inherited("604800000"), "max.message.bytes": inherited("1048588"),
		"unclean.leader.election.enable": inherited("false"),
	}}
	for i := range 12 {
		name := fmt.Sprintf("orders.log-%02d", i)
		source.Topics[name] = topicOf(name, 3+i%4, 2, map[string]cluster.Config{
			"min.insync.replicas": set("2"), "message.format.version": set("2.8"), "unclean.leader.election.enable": inherited("true"),
		})
	}
	source.Topics["orders.events"] = topicOf("orders.events", 6, 3, map[string]cluster.Config{"retention.ms": set("1209600000")})
	source.Topics["orders.priced"] = topicOf("orders.priced", 6, 3, map[string]cluster.Config{"max.message.bytes": set("2097152")})
	source.Topics["orders.sums"] = topicOf("orders.sums", 6, 3, map[string]cluster.Config{"max.message.bytes": set("2097152")})
	source.Topics["orders.old"] = topicOf("orders.old", 2, 3, map[string]cluster.Config{"flush.ms": set("5")})
	target.Topics["orders.priced"] = topicOf("orders.priced", 6, 3, map[string]cluster.Config{"max.message.bytes": inherited("1048588"), "segment.bytes": set("1073741824")})
	target.Topics["orders.sums"] = topicOf("orders.sums", 4, 3, map[string]cluster.Config{"max.message.bytes": inherited("1048588")})
	target.Topics["orders.old"] = topicOf("orders.old", 4, 2, map[string]cluster.Config{"retention.ms": set("-1")})
	owned := map[string]bool{"orders.priced": true, "orders.sums": true}

	source.Keyed = map[string]bool{"orders.events": true}

	topics := diff.Topics(m, source, target, owned, nil)
	answers := map[string]diff.Answer{"orders.events": {Reason: "policy: retention.ms\x1b[2J is too long"}}
	for i := range 12 {
		answers[fmt.Sprintf("orders.log-%02d", i)] = diff.Answer{Accepted: true}
	}
	sel := graph.Select(m, source)
	g, diags := graph.Build(m, sel, graph.Sides{}, graph.Everywhere(m, sel, cluster.Target))
	left := diff.LeftOf(diff.Steps(g))
	checks, lint := left.Lint(m, source)
	changes, notes := diff.Apart(append(append(diff.Changes(topics, answers), diff.Inherited(m, source, target)...), append(left.Notes(m), diff.Steps(g)...)...))
	doc := diff.Doc{
		Migration: "orders", Scheme: string(scheme), PlanHash: "sha256:00", ReadAt: diff.ReadAt(source, target),
		Clusters: diff.Clusters{Source: diff.ClusterRef{Name: "old", ID: "4L6g3nShT-eMCtK--X86sw"}, Target: diff.ClusterRef{Name: "new", ID: "u8s1nYw2Q0mYxH4kq3Zr5A"}},
		Changes:  changes,
		Notes:    notes,
		Checks:   diff.Waive(m, append(append(checks, diff.Parity(m, topics)...), left.Retention(m, target, owned)...)),
	}
	doc.Diagnostics = diff.Diagnostics(append(diags, lint...))
	doc.Summary = diff.Summarise(doc.Changes, doc.Notes, doc.Checks)
	return doc
}

func TestDiffText(t *testing.T) {
	for _, test := range []struct {
		golden string
		scheme plan.SchemeKind
		opts   report.Options
	}{
		{"first.txt", plan.ProductionFirst, report.Options{}},
		{"first_full.txt", plan.ProductionFirst, report.Options{Full: true}},
		{"first_ascii.txt", plan.ProductionFirst, report.Options{ASCII: true}},
		{"first_color.txt", plan.ProductionFirst, report.Options{Color: true}},
		{"later.txt", plan.ProductionLater, report.Options{}},
	} {
		t.Run(test.golden, func(t *testing.T) {
			var out bytes.Buffer
			if err := report.DiffText(&out, document(t, test.scheme), test.opts); err != nil {
				t.Fatal(err)
			}
			golden(t, test.golden, out.Bytes())
		})
	}
}

// Each gate has its row before what waits for it, also where the rest is
// folded.
func TestGates(t *testing.T) {
	window, err := plan.ParseWindow("Tue,Wed 08:00-11:00 Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	lag := int64(1000)
	gates := []*plan.Gate{
		{Name: "begin", Before: "prepare", Verified: time.Hour},
		{Name: "cutover", Before: "switch", Window: window, MaxLag: &lag, Hold: 10 * time.Minute, Approvals: []plan.Approval{{Name: "sre", Expires: 8 * time.Hour}}},
		{Name: "last", Before: "warehouse", Soak: 24 * time.Hour},
	}
	for _, test := range []struct {
		golden string
		scheme plan.SchemeKind
		opts   report.Options
	}{
		{"gates_first.txt", plan.ProductionFirst, report.Options{}},
		{"gates_full.txt", plan.ProductionFirst, report.Options{Full: true}},
		{"gates_later.txt", plan.ProductionLater, report.Options{}},
	} {
		t.Run(test.golden, func(t *testing.T) {
			var out bytes.Buffer
			if err := report.DiffText(&out, document(t, test.scheme, gates...), test.opts); err != nil {
				t.Fatal(err)
			}
			golden(t, test.golden, out.Bytes())
		})
	}
}

func TestDiffJSON(t *testing.T) {
	var out bytes.Buffer
	if err := report.DiffJSON(&out, document(t, plan.ProductionFirst)); err != nil {
		t.Fatal(err)
	}
	golden(t, "first.json", out.Bytes())

	out.Reset()
	if err := report.DiffJSON(&out, diff.Doc{}); err != nil {
		t.Fatal(err)
	}
	var empty map[string]any
	if err := json.Unmarshal(out.Bytes(), &empty); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"changes", "checks", "diagnostics"} {
		if _, ok := empty[list].([]any); !ok {
			t.Errorf("%s is %v, want an empty list", list, empty[list])
		}
	}
}

// Colours say nothing of their own, and ASCII is ASCII.
func TestColourAndASCIIAddNothing(t *testing.T) {
	doc := document(t, plan.ProductionFirst)
	write := func(opts report.Options) string {
		var out bytes.Buffer
		if err := report.DiffText(&out, doc, opts); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	bare := write(report.Options{Color: true})
	for _, code := range []string{"32", "33", "36", "35", "31", "2", "0"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	if d := cmp.Diff(write(report.Options{}), bare); d != "" {
		t.Errorf("without its colours the text differs (-plain +coloured):\n%s", d)
	}
	for _, r := range write(report.Options{ASCII: true, Full: true}) {
		if r > 126 {
			t.Errorf("%q is not ASCII", r)
		}
	}
}

func TestNothingToDo(t *testing.T) {
	note := diff.Note{Phase: graph.Prepare, Object: diff.Object{Kind: "config", Name: "flush.ms"}, Reason: "inherited and different"}
	failed := diff.Check{Name: diff.CheckParity, Object: diff.Object{Kind: "topic", Name: "a"}, Verdict: diff.Fail, Saw: "3 on the source, 4 on the target", Advice: "delete it"}
	waived := failed
	waived.Waived = "no keys"
	for _, test := range []struct {
		name   string
		checks []diff.Check
		want   string
	}{
		{"notes only", nil, "No changes.\n"},
		{"waived", []diff.Check{waived}, "No changes.\n"},
		{"drift", []diff.Check{failed}, "orders: old → new\nchecks\n  ! fail  topics.parity  topic a: 3 on the source, 4 on the target\n          → delete it\nNo changes; 1 failed check.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			doc := diff.Doc{Migration: "orders", Notes: []diff.Note{note}, Checks: test.checks}
			doc.Clusters.Source.Name, doc.Clusters.Target.Name = "old", "new"
			doc.Summary = diff.Summarise(doc.Changes, doc.Notes, doc.Checks)
			var out bytes.Buffer
			if err := report.DiffText(&out, doc, report.Options{}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, out.String()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestValue(t *testing.T) {
	for _, test := range []struct{ key, value, want string }{
		{"retention.ms", "604800000", "604800000 (7d)"},
		{"retention.ms", "129600000", "129600000 (1d12h)"},
		{"retention.ms", "604801000", "604801000 (≈7d)"},
		{"retention.ms", "-1", "-1 (no limit)"},
		{"flush.ms", "9223372036854775807", "9223372036854775807 (no limit)"},
		{"flush.ms", "250", "250"},
		{"max.message.bytes", "1048588", "1048588 (1MiB)"},
		{"segment.bytes", "1610612736", "1610612736 (1.5GiB)"},
		{"retention.bytes", "-1", "-1 (no limit)"},
		{"min.insync.replicas", "2", "2"},
		{"cleanup.policy", "compact", "compact"},
		{"cleanup.policy", "", `""`},
	} {
		if got := report.Value(test.key, test.value); got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.key, test.value, got, test.want)
		}
	}
}

// Taken out: the look whether the gates before a phase have been shown. Where
// topics that no service uses are copied, they would stand there twice.
func TestGateOfAPlanWithoutServicesIsShownOnce(t *testing.T) {
	m := &plan.Migration{
		Name: "orders", Scheme: plan.Scheme{Kind: plan.ProductionFirst}, Mirror: &plan.Mirror{},
		Gates: []*plan.Gate{{Name: "go", Before: "switch", Approvals: []plan.Approval{{Name: "sre"}}}},
	}
	sel := graph.Selection{Topics: []string{"t"}, Groups: []string{}}
	g, diags := graph.Build(m, sel, graph.Sides{}, graph.Everywhere(m, sel, cluster.Target))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var out bytes.Buffer
	if err := report.DiffText(&out, diff.Doc{Migration: "orders", Changes: diff.Steps(g), Summary: diff.Summarise(diff.Steps(g), nil, nil)}, report.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "gate.go"); n != 1 {
		t.Errorf("the gate is shown %d times:\n%s", n, out.String())
	}
}
