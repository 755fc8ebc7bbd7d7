package migration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/embedded"
	"kplan/plan"
)

const (
	writer = `service "shop" {
    produces = ["orders"]
    switch "manual" {
      stop  = "stop it"
      start = "start it"
    }
  }`
	reader = `service "stock" {
    consumes = ["orders"]
    groups   = ["g"]
    switch "manual" {
      stop  = "stop it"
      start = "start it"
    }
  }`
	copies = `mirror {
    start = "earliest"
  }`
	grouped = `groups { include = ["g"] }`
)

// planned is a plan that has these blocks in its migration, and no clusters that
// answer.
func planned(t *testing.T, blocks ...string) *plan.Plan {
	t.Helper()
	return plannedOn(t, []string{"127.0.0.1:1"}, []string{"127.0.0.1:2"}, blocks...)
}

func plannedOn(t *testing.T, old, anew []string, blocks ...string) *plan.Plan {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`cluster "old" { bootstrap = %q }
cluster "new" { bootstrap = %q }
`, old, anew) + `
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders*"] }
  ` + strings.Join(blocks, "\n  ") + `
}
`
	if err := os.WriteFile(filepath.Join(dir, "p.kplan.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded := plan.Load(plan.Options{Dir: dir})
	if loaded.Plan == nil {
		t.Fatal(loaded.Diags)
	}
	return loaded.Plan
}

// stage is two embedded clusters, the source with a topic, and a plan of both.
type stage struct {
	old, anew *embedded.Cluster
	plan      *plan.Plan
	clusters  *Clusters
}

func staged(t *testing.T, blocks ...string) *stage {
	t.Helper()
	s := &stage{}
	for at, topics := range map[**embedded.Cluster]map[string]int32{&s.old: {"orders": 2}, &s.anew: nil} {
		c, err := embedded.Start(embedded.Options{Topics: topics})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		*at = c
	}
	s.plan = plannedOn(t, s.old.Bootstrap(), s.anew.Bootstrap(), blocks...)
	var err error
	if s.clusters, err = Open(t.Context(), s.plan); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.clusters.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// admin changes a cluster as somebody else would.
func admin(t *testing.T, c *embedded.Cluster) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

func makeTopic(t *testing.T, c *embedded.Cluster, name string, partitions int32) {
	t.Helper()
	if made, err := admin(t, c).CreateTopic(t.Context(), partitions, 1, nil, name); err != nil || made.Err != nil {
		t.Fatal(err, made.Err)
	}
}

func write(t *testing.T, c *embedded.Cluster, topic string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
