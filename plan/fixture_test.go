package plan

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

var update = flag.Bool("update", false, "rewrite golden files")

// canaries are secrets that fixtures use. None may appear in any output.
func canaries() []string {
	return []string{"canary", "hunter2"}
}

// fixtureOptions lays a plan out in a directory of its own, beside the files
// that plans refer to. Comments of the plan steer it:
//
//	# WITH clusters migration   add testdata/with/*.kplan.hcl
//	# VAR a=b, # ENV A=b, # VERSION 1.2.3
func fixtureOptions(t testing.TB, name string, text []byte) Options {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/files")); err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name, text)
	env := map[string]string{"KAFKA_PASSWORD": "canary-in-the-environment", "PLAIN": "visible"}
	opts := Options{Dir: dir, Vars: map[string]string{}, Version: "1.0.0", Environ: func(k string) (string, bool) {
		v, ok := env[k]
		return v, ok
	}}
	for _, m := range regexp.MustCompile(`(?m)^# (WITH|VAR|ENV|VERSION) (.*)$`).FindAllStringSubmatch(string(text), -1) {
		key, value, _ := strings.Cut(m[2], "=")
		switch m[1] {
		case "WITH":
			for _, with := range strings.Fields(m[2]) {
				extra, err := os.ReadFile(filepath.Join("testdata/with", with+PlanSuffix))
				if err != nil {
					t.Fatal(err)
				}
				write(with+PlanSuffix, extra)
			}
		case "VAR":
			opts.Vars[key] = value
		case "ENV":
			env[key] = value
		case "VERSION":
			opts.Version = m[2]
		}
	}
	return opts
}

// expectation is one diagnostic as a fixture's comment asks for it.
type expectation struct {
	line     int // 0: no place
	severity hcl.DiagnosticSeverity
	code     Code
	contains string
}

// expectations reads "# ERROR KP1203: text" comments: the diagnostic is
// expected on that line, on the line below with (+1), on none with @-.
func expectations(t *testing.T, text []byte) []expectation {
	var list []expectation
	mark := regexp.MustCompile(`# (ERROR|WARNING)(\(\+1\)|@-)? (KP\d+): `)
	for i, line := range strings.Split(string(text), "\n") {
		found := mark.FindAllStringSubmatchIndex(line, -1)
		if strings.Contains(line, "# ERROR") && found == nil {
			t.Fatalf("line %d: no expectation can be read from %q", i+1, line)
		}
		for j, m := range found {
			end := len(line)
			if j+1 < len(found) {
				end = found[j+1][0]
			}
			e := expectation{line: i + 1, severity: hcl.DiagError, code: Code(line[m[6]:m[7]]), contains: strings.TrimSpace(line[m[1]:end])}
			if line[m[2]:m[3]] == "WARNING" {
				e.severity = hcl.DiagWarning
			}
			if m[4] >= 0 {
				e.line = map[string]int{"(+1)": i + 2, "@-": 0}[line[m[4]:m[5]]]
			}
			list = append(list, e)
		}
	}
	return list
}

// TestErrors loads every bad plan: what its comments expect must be reported
// on that line, and nothing else.
func TestErrors(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/errors/*" + PlanSuffix)
	if err != nil || len(fixtures) < 45 {
		t.Fatalf("%d fixtures, want at least 45 (%v)", len(fixtures), err)
	}
	seen := map[Code]bool{}
	for _, path := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(path), PlanSuffix), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := expectations(t, text)
			if len(want) == 0 {
				t.Fatal("the fixture expects nothing")
			}
			name := filepath.Base(path)
			loaded := Load(fixtureOptions(t, name, text))
			for _, d := range loaded.Diags {
				seen[CodeOf(d)] = true
				if i := matching(want, d, name); i >= 0 {
					want = append(want[:i:i], want[i+1:]...)
					continue
				}
				t.Errorf("unexpected: %s", oneLine(d))
			}
			for _, e := range want {
				t.Errorf("missing on line %d: %s %q", e.line, e.code, e.contains)
			}
			if (loaded.Plan == nil) != loaded.Diags.HasErrors() {
				t.Errorf("Plan is nil: %v, errors: %v", loaded.Plan == nil, loaded.Diags.HasErrors())
			}
			checkOrder(t, loaded.Diags)
			checkNoCanary(t, loaded)
		})
	}
	// KP1001 and KP1002 have no plan file to stand in; 20 and 30 are other
	// packages'.
	for _, c := range Codes() {
		if c.Code > "KP1002" && c.Code != "KP1104" && c.Code < "KP2000" && !seen[c.Code] {
			t.Errorf("no fixture shows %s (%s)", c.Code, c.Summary)
		}
	}
}

func matching(want []expectation, d *hcl.Diagnostic, file string) int {
	line := 0
	if d.Subject != nil {
		line = d.Subject.Start.Line
		if d.Subject.Filename != file {
			return -1
		}
	}
	for i, e := range want {
		if e.line == line && e.severity == d.Severity && e.code == CodeOf(d) && strings.Contains(d.Detail, e.contains) {
			return i
		}
	}
	return -1
}

func oneLine(d *hcl.Diagnostic) string {
	at := "nowhere"
	if d.Subject != nil {
		at = fmt.Sprintf("%s:%d", d.Subject.Filename, d.Subject.Start.Line)
	}
	return fmt.Sprintf("%s: severity %d, %s %s: %s", at, d.Severity, CodeOf(d), d.Summary, d.Detail)
}

func checkOrder(t *testing.T, diags hcl.Diagnostics) {
	t.Helper()
	sorted := append(hcl.Diagnostics(nil), diags...)
	SortDiagnostics(sorted)
	var a, b []string
	for i := range diags {
		a, b = append(a, oneLine(diags[i])), append(b, oneLine(sorted[i]))
	}
	if d := cmp.Diff(b, a); d != "" {
		t.Errorf("diagnostics are not sorted:\n%s", d)
	}
}

// checkNoCanary looks at everything that a person or a machine may see.
func checkNoCanary(t *testing.T, loaded *Loaded) {
	t.Helper()
	shown := rendered(t, loaded, false) + rendered(t, loaded, true)
	if loaded.Plan != nil {
		shown += loaded.Plan.describe() + fmt.Sprintf("%+v %#v", loaded.Plan, loaded.Plan)
	}
	for _, canary := range canaries() {
		if i := strings.Index(shown, canary); i >= 0 {
			t.Errorf("the secret %q is shown:\n%s", canary, shown)
		}
	}
}

func rendered(t *testing.T, loaded *Loaded, color bool) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteDiagnostics(&out, loaded.Sources, loaded.Diags, color); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestCodes checks that the tables hold together.
func TestCodes(t *testing.T) {
	codes := Codes()
	if !sort.SliceIsSorted(codes, func(i, j int) bool { return codes[i].Code < codes[j].Code }) {
		t.Error("codes are not sorted")
	}
	format := regexp.MustCompile(`^KP(1[0-9]|20|30)\d\d$`)
	seen := map[Code]bool{}
	for _, c := range codes {
		if seen[c.Code] || !format.MatchString(string(c.Code)) {
			t.Errorf("%s is no code of its own", c.Code)
		}
		seen[c.Code] = true
		if c.Summary == "" || !strings.HasSuffix(c.Explain, ".") || !strings.HasSuffix(c.WayOut, ".") {
			t.Errorf("%s is not described in sentences: %+v", c.Code, c)
		}
	}
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, used := range regexp.MustCompile(`KP\d{4}`).FindAllString(string(text), -1) {
			if !seen[Code(used)] {
				t.Errorf("%s uses %s, which is in no table", path, used)
			}
		}
	}
}

func goFiles(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, path := range all {
		if !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
	}
	return files
}
