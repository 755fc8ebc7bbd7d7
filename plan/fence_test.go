package plan

import (
	"fmt"
	"testing"
	"time"
)

// What keeps stopped producers out follows from who says who it is, and how
// long quiet has to last follows from that (R6, R8).
func TestFenceFollowsFromPrincipals(t *testing.T) {
	service := func(name, does string) string {
		return fmt.Sprintf("  service %q {\n%s\n    switch \"manual\" {\n      stop  = \"s\"\n      start = \"s\"\n    }\n  }\n", name, does)
	}
	const (
		named  = `    produces = ["orders.a"]` + "\n" + `    principals = ["User:a", "User:CN=a b,O=x"]`
		silent = `    produces = ["orders.b"]`
		reader = `    consumes = ["orders.a"]` + "\n" + `    groups = ["orders-a"]`
	)
	for _, c := range []struct {
		name, scheme, services string
		fence                  string
		quiet                  time.Duration
	}{
		{"all writers are named", "", service("a", named) + service("c", reader), "acl", 10 * time.Second},
		{"one is not", "", service("a", named) + service("b", silent), "none", 5*time.Minute + 30*time.Second},
		{"nobody writes", "", service("c", reader), "none", 5*time.Minute + 30*time.Second},
		{"the plan wants none", `fence = "none"`, service("a", named), "none", 5*time.Minute + 30*time.Second},
		{"the plan wants it, and says how long", "fence = \"acl\"\n quiet_for = \"3s\"", service("a", named), "acl", 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "# WITH clusters\nmigration \"m\" {\n  source = cluster.old\n  target = cluster.new\n  scheme \"production_first\" {\n" + c.scheme +
				"\n  }\n  topics { include = [\"orders.*\"] }\n  groups { include = [\"orders-*\"] }\n" + c.services + "}\n"
			loaded := Load(fixtureOptions(t, "a"+PlanSuffix, []byte(text)))
			if loaded.Diags.HasErrors() {
				t.Fatal(loaded.Diags)
			}
			s := loaded.Plan.Migration.Scheme
			if s.Fence != c.fence || s.QuietFor != c.quiet {
				t.Errorf("fence %s, quiet for %s; want %s, %s", s.Fence, s.QuietFor, c.fence, c.quiet)
			}
		})
	}
}
