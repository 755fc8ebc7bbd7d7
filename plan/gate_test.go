package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// TestConditions says what gates wait for.
func TestConditions(t *testing.T) {
	m := mustLoad(t, goodOptions(t, nil)).Migration
	got := map[string][]string{}
	for _, g := range m.Gates {
		got[g.Name] = g.Conditions()
	}
	want := map[string][]string{
		"start": {"a verify at most 1h old"},
		"cutover": {
			"Tue,Wed 08:00-11:00; Sat 22:00-02:00 Europe/Madrid", "max_lag 1000 held for 10m", "1d12h to pass since the step before",
			"approval sre (expires after 8h, from alice or bob, not from who started the apply)", "approval owner",
		},
		"drained": {"max_lag 0"},
		"copied":  {"5m to pass since the step before"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("conditions (-want +got):\n%s", d)
	}
	if g := m.Gate("cutover"); g != m.Gates[1] || m.Gate("none") != nil {
		t.Errorf("the gate by name is %v", g)
	}
}

// TestDurationText writes durations so that they can be read again.
func TestDurationText(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "8h": 8 * time.Hour, "1m30s": 90 * time.Second, "1d12h": 36 * time.Hour, "250ms": 250 * time.Millisecond, "8d": 8 * 24 * time.Hour,
	} {
		if got := durationText(d); got != want {
			t.Errorf("durationText(%v) = %q, want %q", d, got, want)
		}
		if back, err := ParseDuration(want); err != nil || back != d {
			t.Errorf("%q reads as %v, %v", want, back, err)
		}
	}
}

// TestStateInKafka keeps the state on a cluster.
func TestStateInKafka(t *testing.T) {
	load := func(text string) *Plan {
		return mustLoad(t, fixtureOptions(t, "x.kplan.hcl", []byte("# WITH clusters migration\n"+text)))
	}
	p := load("state \"kafka\" {\n  cluster = cluster.old\n  replication_factor = 2\n}\n")
	want := State{Backend: "kafka", Path: ".kplan", Cluster: p.Clusters[0], ReplicationFactor: 2, Range: p.State.Range}
	if p.State != want {
		t.Errorf("got %+v, want %+v", p.State, want)
	}
	if p.Hash() != load("").Hash() {
		t.Error("moving the state makes another plan of it")
	}
}

// TestNotifyDefaults tells people of everything unless told otherwise.
func TestNotifyDefaults(t *testing.T) {
	const notify = "  notify \"http\" { url = \"https://hooks.example\" }\n"
	m := mustLoad(t, goodOptions(t, func(name, text string) string {
		if name != "migration.kplan.hcl" {
			return text
		}
		return text[:len(text)-2] + notify + "}\n"
	})).Migration
	got, want := m.Notify[2], []NotifyOn{OnPark, OnFail, OnDone}
	if d := cmp.Diff(want, got.On); d != "" || got.HTTP.Timeout != 30*time.Second || got.HTTP.Headers != nil {
		t.Errorf("got %+v, %+v", got, got.HTTP)
	}
	exec := m.Notify[0]
	if d := cmp.Diff([]NotifyOn{OnFail, OnPark}, exec.On); d != "" || exec.Exec.Timeout != 10*time.Second || exec.Exec.Command[1] != "notify" {
		t.Errorf("got %+v, %+v", exec, exec.Exec)
	}
}

// TestOwnTopics never selects where kplan keeps its state.
func TestOwnTopics(t *testing.T) {
	for _, text := range []string{"*", "_*", "_kplan?orders", "/.*/", `/_kplan\..*/`, "_kplan.orders"} {
		p, err := NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		if (Topics{Include: []Pattern{p}}).Selects("_kplan.orders") {
			t.Errorf("%s selects _kplan.orders", text)
		}
		if p.glob && p.Match("__consumer_offsets") {
			t.Errorf("%s matches __consumer_offsets", text)
		}
	}
}

// Kafka's own topics are selected by no glob, and others that begin with two
// underscores are topics like any other.
func TestNamesWithUnderscores(t *testing.T) {
	for text, want := range map[string][]string{
		"*":                      {"__debezium-heartbeat.orders", "__cdc", "orders"},
		"__*":                    {"__debezium-heartbeat.orders", "__cdc"},
		"__debezium-heartbeat.*": {"__debezium-heartbeat.orders"},
		"__cdc":                  {"__cdc"},
	} {
		p, err := NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"__debezium-heartbeat.orders", "__cdc", "orders", "__consumer_offsets", "__transaction_state", "__share_group_state", "__amazon_msk_canary"} {
			if (Topics{Include: []Pattern{p}}).Selects(name) {
				got = append(got, name)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s selects (-want +got):\n%s", text, d)
		}
	}
}

// A service may use such a topic, and have the group without a name, which old
// clients commit for; one that nobody owns can be ignored.
func TestOddNamesInThePlan(t *testing.T) {
	m := mustLoad(t, fixtureOptions(t, "x.kplan.hcl", []byte(`# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["__cdc.*"] }
  groups { include = ["", "orders-*"] }
  service "a" {
    consumes = ["__cdc.orders"]
    groups   = [""]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
}
`))).Migration
	if g := m.Services[0].Groups; len(g) != 1 || g[0].Name != "" || m.Services[0].Consumes[0].Name != "__cdc.orders" {
		t.Errorf("%+v", m.Services[0])
	}
	m = mustLoad(t, fixtureOptions(t, "x.kplan.hcl", []byte(`# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups {
    ignore "" { reason = "a tool of 2014" }
  }
}
`))).Migration
	if reason, ignored := m.Groups.Ignores(""); !ignored || reason != "a tool of 2014" {
		t.Errorf("ignored %v, %q", ignored, reason)
	}
}
