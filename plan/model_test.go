package plan

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// goodOptions loads testdata/good with edits to its files.
func goodOptions(t *testing.T, edit func(name, text string) string) Options {
	t.Helper()
	opts := fixtureOptions(t, "empty.kplan.hcl", nil)
	files, err := filepath.Glob("testdata/good/*.hcl")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files in testdata/good (%v)", len(files), err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		edited := string(text)
		if edit != nil {
			edited = edit(filepath.Base(path), edited)
		}
		if err := os.WriteFile(filepath.Join(opts.Dir, filepath.Base(path)), []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := opts.Environ
	opts.Vars = map[string]string{"ns": "orders"}
	opts.Environ = func(k string) (string, bool) {
		if k == "KPLAN_VAR_old_password" {
			return "canary-in-a-variable", true
		}
		return environ(k)
	}
	return opts
}

func mustLoad(t *testing.T, opts Options) *Plan {
	t.Helper()
	loaded := Load(opts)
	if loaded.Plan == nil || len(loaded.Diags) > 0 {
		t.Fatalf("the plan does not load cleanly:\n%s", rendered(t, loaded, false))
	}
	return loaded.Plan
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with go test ./plan -update)", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, d)
	}
}

// TestModel evaluates a plan that uses everything that is built.
func TestModel(t *testing.T) {
	p := mustLoad(t, goodOptions(t, nil))
	golden(t, "testdata/good/model.txt", p.describe())

	old, moved := p.Clusters[0], p.Clusters[1]
	got := map[string]string{
		"a sensitive variable": old.SASL.Password.Reveal(),
		"env":                  moved.SASL.Password.Reveal(),
		"a local of file":      moved.Listeners[0].SASL.Password.Reveal(),
		"a url":                p.Migration.Notify[1].HTTP.URL.Reveal(),
		"a header of env":      p.Migration.Notify[1].HTTP.Headers["Authorization"].Reveal(),
		"a header":             p.Migration.Notify[1].HTTP.Headers["X-Kind"].Reveal(),
	}
	want := map[string]string{
		"a sensitive variable": "canary-in-a-variable",
		"env":                  "canary-in-the-environment",
		"a local of file":      "canary-with-newline",
		"a url":                "https://hooks.example/services/canary",
		"a header of env":      "Bearer canary-in-the-environment",
		"a header":             "plan",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("passwords (-want +got):\n%s", d)
	}
	if p.Migration.Source != old || p.Migration.Target != moved {
		t.Error("source and target are not the clusters themselves")
	}
}

// TestRanges checks that statements know where they stand.
func TestRanges(t *testing.T) {
	p := mustLoad(t, goodOptions(t, nil))
	m := p.Migration
	at := func(r hcl.Range) string { return fmt.Sprintf("%s:%d:%d", r.Filename, r.Start.Line, r.Start.Column) }
	got := map[string]string{
		"state":     at(p.State.Range),
		"cluster":   at(p.Clusters[1].Range),
		"listener":  at(p.Clusters[0].Listeners[0].Range),
		"sasl":      at(p.Clusters[0].SASL.Range),
		"migration": at(m.Range),
		"pattern":   at(m.Topics.Include[1].Range),
		"topic":     at(m.Topics.Named[0].Range),
		"service":   at(m.Services[1].Range),
		"group":     at(m.Services[1].Groups[1].Range),
		"switch":    at(m.Services[1].Switch.Range),
		"verify":    at(m.Verify.Range),
		"gate":      at(m.Gates[1].Range),
		"approval":  at(m.Gates[1].Approvals[0].Range),
		"notify":    at(m.Notify[1].Range),
		"mirror":    at(m.Mirror.Range),
		"mirrored":  at(m.Mirror.Topics[1].Range),
	}
	want := map[string]string{
		"state":     "clusters.kplan.hcl:4:1",
		"cluster":   "clusters.kplan.hcl:36:1",
		"listener":  "clusters.kplan.hcl:30:3",
		"sasl":      "clusters.kplan.hcl:25:3",
		"migration": "migration.kplan.hcl:1:1",
		"pattern":   "migration.kplan.hcl:12:36",
		"topic":     "migration.kplan.hcl:19:11",
		"service":   "migration.kplan.hcl:48:3",
		"group":     "migration.kplan.hcl:51:37",
		"switch":    "migration.kplan.hcl:53:5",
		"verify":    "migration.kplan.hcl:111:3",
		"gate":      "migration.kplan.hcl:76:3",
		"approval":  "migration.kplan.hcl:83:14",
		"notify":    "migration.kplan.hcl:100:3",
		"mirror":    "migration.kplan.hcl:131:3",
		"mirrored":  "migration.kplan.hcl:137:11",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ranges (-want +got):\n%s", d)
	}
}

// TestSecretsStayInside prints, logs and marshals a loaded plan.
func TestSecretsStayInside(t *testing.T) {
	loaded := Load(goodOptions(t, nil))
	if loaded.Plan == nil {
		t.Fatal("the plan does not load")
	}
	checkNoCanary(t, loaded)
	// Patterns hold compiled expressions, which JSON cannot see; the rest is
	// data.
	text, err := json.Marshal(loaded.Plan)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	sasl := loaded.Plan.Clusters[0].SASL
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "sasl", sasl, "password", sasl.Password)
	for _, shown := range []string{string(text), logged.String()} {
		if strings.Contains(shown, "canary") || !strings.Contains(shown, hidden) {
			t.Errorf("want %s instead of the password in:\n%s", hidden, shown)
		}
	}
}

// TestHash changes the plan in ways that do and do not matter.
func TestHash(t *testing.T) {
	base := mustLoad(t, goodOptions(t, nil)).Hash()
	replace := func(from, to string) func(string, string) string {
		return func(_, text string) string { return strings.ReplaceAll(text, from, to) }
	}
	same := map[string]func(string, string) string{
		"comments":   func(_, text string) string { return "# a comment\n\n" + text },
		"formatting": replace(" = ", "   =   "),
		"expression": replace(`bytes("80MiB")`, "80 * 1024 * 1024"),
		"unit":       replace(`"90s"`, `"1m30s"`),
		"throttle":   replace(`throttle { bytes_per_second = bytes("80MiB") }`, `throttle { bytes_per_second = bytes("9MiB") }`),
		"session":    replace(`start   = "latest"`, "start = \"latest\"\n    session_timeout = \"8s\""),
		"unlimited":  replace(`throttle { bytes_per_second = bytes("80MiB") }`, ""),
		"secret":     replace(`env("KAFKA_PASSWORD")`, `file("secrets/password")`),
		"url":        replace("hooks.example", "other.example"),
		"occasions":  replace(`["fail", "park"]`, `["done"]`),
		"program":    replace(`["ops/svc", "notify"]`, `["true"]`),
	}
	for name, edit := range same {
		if got := mustLoad(t, goodOptions(t, edit)).Hash(); got != base {
			t.Errorf("%s changed the hash", name)
		}
	}
	other := map[string]func(string, string) string{
		"topic":      replace(`"*.tmp"`, `"*.temp"`),
		"config":     replace(`days = 14`, `days = 15`),
		"empty":      replace(`(upper("a.empty")) = ""`, ""),
		"user":       replace(`"apps"`, `"appz"`),
		"argv":       replace(`["true"]`, `["false"]`),
		"text":       replace("release Hold", "let go"),
		"wait":       replace(`"10s"`, `"11s"`),
		"unstated":   replace(`quiet_for     = "10s"`, ""),
		"waiver":     replace("no keys", "few keys"),
		"limit":      replace("max_lag = 1000", "max_lag = 1001"),
		"no limit":   replace("max_lag = 0", `soak = "1h"`),
		"window":     replace("Sat 22:00", "Sat 21:00"),
		"approver":   replace(`"bob"`, `"eve"`),
		"gate":       replace(`approval "owner" {}`, ""),
		"becomes":    replace(`"User:orders-new"`, `"User:orders-newer"`),
		"rules":      replace("CN=mailer", "CN=other"),
		"quotas":     replace(`, "<default>"]`, "]"),
		"iterations": replace("8192", "4096"),
		"uncommited": replace(`"earliest"`, `"latest"`),
		"copier":     replace(`run     = "worker"`, ""),
		"begins":     replace(`start   = "latest"`, ""),
		"offsets":    replace("offsets = \"translate\"\n    throttle", "throttle"),
		"mirrored":   replace(`topic "payments.refused" { offsets = "translate" }`, ""),
	}
	for name, edit := range other {
		if got := mustLoad(t, goodOptions(t, edit)).Hash(); got == base {
			t.Errorf("%s did not change the hash", name)
		}
	}
	if len(base) != 64 {
		t.Errorf("%q is no sha256 in hex", base)
	}
}

// TestDefaults loads the least that is a plan.
func TestDefaults(t *testing.T) {
	opts := fixtureOptions(t, "x.kplan.hcl", []byte("# WITH clusters migration\n"))
	p := mustLoad(t, opts)
	golden(t, "testdata/good/least.txt", p.describe())
	if p.Migration.Scheme.QuietStated {
		t.Error("quiet_for is not stated")
	}
}

// A file in UTF-16, as editors on Windows save it, is one error and not one for
// each of its bytes; so is an encrypted key, before anything is connected.
func TestFilesOfOtherKinds(t *testing.T) {
	text := "cluster \"old\" { bootstrap = [\"a:1\"] }\n"
	wide := func(first, second int) []byte {
		var b []byte
		for _, c := range []byte(text) {
			pair := [2]byte{}
			pair[first], pair[second] = c, 0
			b = append(b, pair[:]...)
		}
		return b
	}
	for what, content := range map[string][]byte{
		"little endian, with a mark": append([]byte{0xff, 0xfe}, wide(0, 1)...), "big endian, with a mark": append([]byte{0xfe, 0xff}, wide(1, 0)...),
		"little endian": wide(0, 1), "big endian": wide(1, 0),
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.kplan.hcl"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		diags := Load(Options{Dir: dir}).Diags
		if len(diags) != 1 || CodeOf(diags[0]) != "KP1003" || !strings.Contains(diags[0].Detail, "UTF-16") {
			t.Errorf("%s: %d diagnostics, the first %v", what, len(diags), diags[:min(1, len(diags))])
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"me.key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "me.pem": "", "x.kplan.hcl": `
cluster "old" {
  bootstrap = ["a:1"]
  tls {
    cert_file = "me.pem"
    key_file  = "me.key"
  }
}
cluster "new" { bootstrap = ["b:1"] }
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diags := Load(Options{Dir: dir}).Diags; len(diags) != 1 || CodeOf(diags[0]) != "KP1305" || !strings.Contains(diags[0].Detail, "openssl pkey") {
		t.Errorf("an encrypted key: %v", diags)
	}
}
