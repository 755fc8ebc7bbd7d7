package graph

import (
	"sort"

	"github.com/hashicorp/hcl/v2"

	"kplan/plan"
)

func problem(code plan.Code, severity hcl.DiagnosticSeverity, rng hcl.Range, detail string) *hcl.Diagnostic {
	if rng == (hcl.Range{}) {
		return plan.NewDiagnostic(code, severity, detail, nil)
	}
	return plan.NewDiagnostic(code, severity, detail, &rng)
}

// at returns the first range that says anything: blocks that the plan leaves
// out have none.
func at(ranges ...hcl.Range) hcl.Range {
	for _, r := range ranges {
		if r != (hcl.Range{}) {
			return r
		}
	}
	return hcl.Range{}
}

// byPlace makes diagnostics that were collected from maps deterministic.
func byPlace(diags hcl.Diagnostics) hcl.Diagnostics {
	sort.SliceStable(diags, func(i, j int) bool { return diags[i].Detail < diags[j].Detail })
	plan.SortDiagnostics(diags)
	return diags
}
