package diff_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

// TestGates looks at gates as changes: who has to act, what they wait for, and
// how they count.
func TestGates(t *testing.T) {
	window, err := plan.ParseWindow("Tue,Wed 08:00-11:00 Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	lag := int64(1000)
	m := &plan.Migration{
		Scheme:   plan.Scheme{Kind: plan.ProductionFirst},
		Services: []*plan.Service{{Name: "shop", Produces: []plan.NamedRef{{Name: "orders"}}}},
		Gates: []*plan.Gate{
			{Name: "begin", Before: "prepare", Verified: time.Hour},
			{Name: "cut.over", Before: "switch", Window: window, MaxLag: &lag, Hold: 10 * time.Minute, Approvals: []plan.Approval{{Name: "sre", Expires: 8 * time.Hour}}},
			{Name: "shop", Before: "shop", Soak: 36 * time.Hour},
		},
	}
	g, diags := graph.Build(m, graph.Selection{}, graph.Sides{}, graph.Everywhere(m, graph.Selection{}, cluster.Target))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var got []diff.Change
	steps := diff.Steps(g)
	for _, c := range steps {
		if c.Object.Kind == "gate" {
			got = append(got, c)
		}
	}
	want := []diff.Change{
		{
			Address: "gate.begin", Phase: graph.Prepare, Action: diff.Run, Object: diff.Object{Kind: "gate", Name: "begin"}, Broker: diff.Unasked,
			Reason: "waits for a verify at most 1h old",
			After:  map[string]string{"step": "gate", "before": "prepare", "conditions": "a verify at most 1h old"},
		},
		{
			Address: `gate["cut.over"]`, Phase: graph.Switch, Action: diff.Human, Object: diff.Object{Kind: "gate", Name: "cut.over"}, Broker: diff.Unasked,
			Reason: "waits until all hold at once: Tue,Wed 08:00-11:00 Europe/Madrid, max_lag 1000 held for 10m, approval sre (expires after 8h)",
			After: map[string]string{
				"step": "gate", "before": "switch",
				"conditions": "Tue,Wed 08:00-11:00 Europe/Madrid; max_lag 1000 held for 10m; approval sre (expires after 8h)",
			},
		},
		{
			Address: "gate.shop", Phase: graph.Switch, Action: diff.Run, Object: diff.Object{Kind: "gate", Name: "shop"}, Broker: diff.Unasked,
			Reason: "waits for 1d12h to pass since the step before",
			After:  map[string]string{"step": "gate", "before": "shop", "wave": "1", "conditions": "1d12h to pass since the step before"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("gates (-want +got):\n%s", d)
	}
	// Hold, stop, boundary, start and release beside them.
	sum := diff.Summary{Run: 7, Human: 1, Services: 1, Waves: 1, Gates: 3}
	if d := cmp.Diff(sum, diff.Summarise(steps, nil, nil)); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
}
