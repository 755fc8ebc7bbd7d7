package graph_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// input is a migration in the shorthand of the goldens, one statement a line:
//
//	scheme production_later
//	service P: t1 t2 (g1 g2) -> t3
//	manual P
//	fence P User:p      (P writes as User:p; the scheme has the fence)
//	gate G before P approved   (a phase or a service; approved: by a person)
//	topics t1 t2        (what the source has; online when present)
//	groups g1           (what the source has)
//	rules User:x        (principals of the source whose rules move)
//	quota x             (of a user of the source)
//	user x              (a SCRAM user to create)
//	ignore g9
//	moved t1 g1         (already on the target)
//	mirror              (records are copied)
//	wanted source       (everything; else everything on the target)
type input struct {
	m               *plan.Migration
	sel             graph.Selection
	current, wanted graph.Sides
}

func parse(t testing.TB, text string) input {
	t.Helper()
	m := &plan.Migration{Name: "demo", Scheme: plan.Scheme{Kind: plan.ProductionFirst}}
	in := input{m: m, current: graph.Sides{Topics: map[string]cluster.Side{}, Groups: map[string]cluster.Side{}}}
	wanted := cluster.Target
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rng := hcl.Range{Filename: "plan", Start: hcl.Pos{Line: i + 1, Column: 1}, End: hcl.Pos{Line: i + 1, Column: 2}}
		switch word {
		case "", "#":
		case "scheme":
			m.Scheme.Kind = plan.SchemeKind(rest)
		case "service":
			m.Services = append(m.Services, parseService(rest, rng))
		case "manual":
			m.Service(rest).Switch.Manual = &plan.ManualSwitch{}
		case "fence":
			name, principals, _ := strings.Cut(rest, " ")
			m.Scheme.Fence = "acl"
			for _, p := range strings.Fields(principals) {
				m.Service(name).Principals = append(m.Service(name).Principals, plan.NamedRef{Name: p, Range: rng})
			}
		case "gate":
			m.Gates = append(m.Gates, parseGate(t, rest, rng))
		case "topics":
			in.sel.Topics = append([]string{}, strings.Fields(rest)...)
			for _, name := range in.sel.Topics {
				p, err := plan.NewPattern(name, rng)
				if err != nil {
					t.Fatal(err)
				}
				m.Topics.Include = append(m.Topics.Include, p)
			}
		case "groups":
			in.sel.Groups = append([]string{}, strings.Fields(rest)...)
			m.Groups.Range = rng
		case "rules":
			in.sel.Principals = append(in.sel.Principals, rest)
		case "quota":
			in.sel.Quotas = append(in.sel.Quotas, cluster.QuotaEntity{User: rest})
		case "user":
			m.Users = append(m.Users, plan.User{Name: rest})
		case "mirror":
			m.Mirror = &plan.Mirror{Run: "apply", Start: "earliest"}
		case "ignore":
			m.Groups.Ignore = append(m.Groups.Ignore, plan.IgnoredGroup{Name: rest, Reason: "old"})
		case "moved":
			for _, name := range strings.Fields(rest) {
				in.current.Topics[name], in.current.Groups[name] = cluster.Target, cluster.Target
			}
		case "wanted":
			wanted = cluster.Source
		default:
			t.Fatalf("line %d: unknown word %q", i+1, word)
		}
	}
	in.wanted = graph.Everywhere(m, in.sel, wanted)
	return in
}

func parseGate(t testing.TB, text string, rng hcl.Range) *plan.Gate {
	t.Helper()
	words := strings.Fields(text)
	if len(words) < 3 || words[1] != "before" {
		t.Fatalf("no gate: %q", text)
	}
	lag := int64(1000)
	g := &plan.Gate{Name: words[0], Before: words[2], MaxLag: &lag, Hold: 10 * time.Minute, Range: rng}
	if len(words) > 3 {
		g.Approvals = []plan.Approval{{Name: "sre", Expires: 8 * time.Hour}}
	}
	return g
}

func parseService(text string, rng hcl.Range) *plan.Service {
	refs := func(text string) []plan.NamedRef {
		var all []plan.NamedRef
		for _, name := range strings.Fields(text) {
			all = append(all, plan.NamedRef{Name: name, Range: rng})
		}
		return all
	}
	name, rest, _ := strings.Cut(text, ":")
	in, out, _ := strings.Cut(rest, "->")
	topics, groups, _ := strings.Cut(in, "(")
	return &plan.Service{
		Name: strings.TrimSpace(name), Range: rng,
		Consumes: refs(topics), Groups: refs(strings.Trim(strings.TrimSpace(groups), ")")), Produces: refs(out),
	}
}

func (in input) build() (*graph.Graph, hcl.Diagnostics) {
	return graph.Build(in.m, in.sel, in.current, in.wanted)
}

func render(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		severity, line := "error", 0
		if d.Severity == hcl.DiagWarning {
			severity = "warning"
		}
		if d.Subject != nil {
			line = d.Subject.Start.Line
		}
		fmt.Fprintf(&b, "%s %s line %d: %s\n  %s\n", severity, plan.CodeOf(d), line, d.Summary, strings.ReplaceAll(d.Detail, "\n", "\n  "))
	}
	return b.String()
}
