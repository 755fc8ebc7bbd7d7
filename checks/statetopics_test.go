package checks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/plan"
	"kplan/plan/diff"
)

// R12: state that would stay behind is named, and what only looks like it is not.
func TestStateTopics(t *testing.T) {
	type seen struct {
		Object  string
		Verdict diff.Verdict
	}
	for name, c := range map[string]struct {
		others, groups []string
		want           []seen
	}{
		"none": {[]string{"pricing-changelog", "other-x-changelog", "pricing"}, []string{"pricing"}, []seen{{"", diff.Pass}}},
		"stores": {
			[]string{"pricing-sums-changelog", "pricing-KSTREAM-1-repartition"}, []string{"pricing"},
			[]seen{{"pricing", diff.Fail}, {"pricing", diff.Fail}},
		},
		"others": {[]string{"_schemas", "_confluent-ksql-default__command_topic", "connect-offsets"}, nil, []seen{
			{"_confluent-ksql-default__command_topic", diff.Unknown}, {"_schemas", diff.Unknown}, {"connect-offsets", diff.Unknown},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := ground()
			g.Source.Others, g.Selected = c.others, c.groups
			var got []seen
			for _, r := range checks.StateTopics(g) {
				got = append(got, seen{r.Object.Name, r.Verdict})
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A repartition topic that is selected is drained like any other.
func TestSelectedRepartitionTopicPasses(t *testing.T) {
	g := ground()
	g.Source.Topics["pricing-x-repartition"], g.Selected = g.Source.Topics["t"], []string{"pricing"}
	if got := checks.StateTopics(g); len(got) != 1 || got[0].Verdict != diff.Pass {
		t.Errorf("%+v", got)
	}
}

// Stores that are copied are there, and local ones do not fit them.
func TestCopiedStoresAreUnknown(t *testing.T) {
	g := ground()
	g.Migration.Mirror = &plan.Mirror{}
	g.Source.Topics["pricing-sums-changelog"], g.Selected = g.Source.Topics["t"], []string{"pricing"}
	if got := checks.StateTopics(g); len(got) != 1 || got[0].Verdict != diff.Unknown {
		t.Errorf("%+v", got)
	}
}
