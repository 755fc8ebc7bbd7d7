package migration

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// OfflineGraph builds the graph from the files alone.
func OfflineGraph(p *plan.Plan) (*graph.Graph, hcl.Diagnostics) {
	var sel graph.Selection
	return graph.Build(p.Migration, sel, graph.Sides{}, graph.Everywhere(p.Migration, sel, cluster.Target))
}

// KnownGraph draws the steps from what the state has pinned, without asking a
// cluster.
func KnownGraph(p *plan.Plan, st state.State) (*graph.Graph, error) {
	sel := graph.Selection{}
	if st.Selection != nil {
		sel = graph.Selection(*st.Selection)
	}
	p = p.Reading(p.Migration.Unlisted(sel.Reads))
	g, diags := graph.Build(p.Migration, sel, graph.Sides{}, graph.Everywhere(p.Migration, sel, cluster.Target))
	if g == nil {
		return nil, fmt.Errorf("the plan has no steps: %w", diags)
	}
	return g, nil
}
