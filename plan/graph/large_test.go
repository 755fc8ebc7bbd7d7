package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"kplan/plan"
)

// BenchmarkBuildLarge orders the steps of a chain of 198 services with 5,000
// topics, as kplan validate does offline.
func BenchmarkBuildLarge(b *testing.B) {
	const services, topics = 198, 5000
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		b.Run(string(scheme), func(b *testing.B) {
			var text strings.Builder
			fmt.Fprintf(&text, "scheme %s\ngate g before switch\n", scheme)
			for i := range services {
				var in, out []string
				for t := i; t < topics; t += services {
					out = append(out, fmt.Sprintf("t%d", t))
					if i > 0 {
						in = append(in, fmt.Sprintf("t%d", t-1))
					}
				}
				group := ""
				if i > 0 {
					group = fmt.Sprintf("g%d", i)
				}
				fmt.Fprintf(&text, "service s%d: %s (%s) -> %s\n", i, strings.Join(in, " "), group, strings.Join(out, " "))
			}
			in := parse(b, text.String())
			for b.Loop() {
				if g, diags := in.build(); g == nil {
					b.Fatal(render(diags))
				}
			}
		})
	}
}
