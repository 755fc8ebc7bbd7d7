package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kplan/internal/kafka"
	"kplan/internal/migration"
	"kplan/plan"
)

// Taken out: the limit of a migration's name. The topics of its state and of its
// shelf would have names that no broker takes, found out after the diff.
func TestNamesThatAreMadeOfNames(t *testing.T) {
	const mostTopic, mostFile = 249, 255
	for length, fits := range map[int]bool{1: true, 200: true, 201: false, 300: false} {
		name, dir := strings.Repeat("m", length), t.TempDir()
		text := fmt.Sprintf(`cluster "old" { bootstrap = ["a:1"] }
cluster "new" { bootstrap = ["b:1"] }
migration %q {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  service %q {
    produces = ["orders.%s"]
    switch "manual" {
      stop  = "x"
      start = "y"
    }
  }
}
`, name, name, strings.Repeat("t", mostTopic-len("orders.")))
		if err := os.WriteFile(filepath.Join(dir, "p.kplan.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		loaded := plan.Load(plan.Options{Dir: dir})
		if fits != (loaded.Plan != nil) {
			t.Errorf("a name of %d characters: %v", length, loaded.Diags)
		}
		if !fits {
			continue
		}
		for _, made := range []string{kafka.StateTopic(name), kafka.ShelfTopic(name), migration.MirrorGroup(name)} {
			if len(made) > mostTopic {
				t.Errorf("%d characters are too many for a topic: %s", len(made), made)
			}
		}
		if a := (&app{dir: dir}); len(filepath.Base(a.stateDir(loaded.Plan, loaded.Plan.State))) > mostFile {
			t.Error("the directory of the state has too long a name")
		}
	}
}
