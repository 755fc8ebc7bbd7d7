package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
)

// TestMirrorDefaults loads a mirror that says nothing.
func TestMirrorDefaults(t *testing.T) {
	m := mustLoad(t, fixtureOptions(t, "x.kplan.hcl", []byte(`# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  mirror {}
  gate "checked" {
    before = "mirror"
    approval "dba" {}
  }
  gate "cutover" {
    before  = "switch"
    max_lag = 0
  }
}
`))).Migration
	want := &Mirror{Run: "apply", Start: "earliest"}
	if d := cmp.Diff(want, m.Mirror, cmpopts.IgnoreTypes(hcl.Range{})); d != "" {
		t.Errorf("a mirror without settings (-want +got):\n%s", d)
	}
	if m.Gate("checked").Before != "mirror" {
		t.Errorf("the gate stands before %q", m.Gate("checked").Before)
	}
}

// What the plan says for a topic counts, then what it says for all.
func TestOffsetsOf(t *testing.T) {
	m := &Mirror{Offsets: "preserve", Topics: []MirroredTopic{{Name: "a", Offsets: "translate"}}}
	got := []string{m.OffsetsOf("a"), m.OffsetsOf("b"), new(Mirror).OffsetsOf("a")}
	if d := cmp.Diff([]string{"translate", "preserve", "translate"}, got); d != "" {
		t.Errorf("offsets of a topic (-want +got):\n%s", d)
	}
}

// The session timeout of workers is the plan's; brokers take none below 6 s.
func TestMirrorSessionTimeout(t *testing.T) {
	load := func(timeout string) *Loaded {
		return Load(fixtureOptions(t, "x.kplan.hcl", []byte(`# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  mirror {
    run             = "worker"
    session_timeout = "`+timeout+`"
  }
}
`)))
	}
	if got := load("8s"); got.Plan == nil || got.Plan.Migration.Mirror.SessionTimeout != 8*time.Second {
		t.Errorf("8s: %v", got.Diags)
	}
	if got := load("2s"); got.Plan != nil || len(got.Diags) != 1 {
		t.Errorf("2s: %v", got.Diags)
	}
}
