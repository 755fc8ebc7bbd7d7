package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

// nasty is a text from a cluster that would like to be something else.
const nasty = "a|b `c` <script>x</script> &amp; *d* _e_ [f](http://g) @team #12 $x$ \\| ~~h~~ \"q\" \x1b[2J\n## head"

// findings are those of a diff with a bit of everything.
func findings(t *testing.T) *report.Findings {
	t.Helper()
	doc := document(t, plan.ProductionFirst)
	doc.Checks = append(doc.Checks,
		diff.Check{Name: "connect", Object: diff.Object{Kind: "broker", Name: "old/1"}, Verdict: diff.Error, Asked: "is it there?", Saw: nasty, Advice: nasty},
		diff.Check{Name: "offsets.placed", Object: diff.Object{Kind: "group", Name: "g"}, Verdict: diff.Unknown, Asked: "are they placed?", Saw: "nobody can tell"},
		diff.Check{Name: "capacity.brokers", Object: diff.Object{Kind: "cluster", Name: "new"}, Verdict: diff.Fail, Asked: "are there as many?", Saw: "3, not 6", Waived: "three | large ones"},
		diff.Check{Name: "connect", Object: diff.Object{Kind: "broker", Name: "old/2"}, Verdict: diff.Pass, Asked: "is it there?", Saw: "it is"},
		diff.Check{Name: "connect", Object: diff.Object{Kind: "broker", Name: "old/2"}, Verdict: diff.Pass, Asked: "is it there?", Saw: "it is, by TLS"},
	)
	doc.Summary = diff.Summarise(doc.Changes, doc.Notes, doc.Checks)
	doc.Diagnostics = append(doc.Diagnostics, diff.Diagnostic{Code: "KP1203", Severity: "error", Summary: "Unknown argument", Detail: nasty,
		Range: &diff.Range{File: "a dir/x.kplan.hcl", Start: diff.Place{Line: 4, Column: 3}, End: diff.Place{Line: 4, Column: 1}}})
	return &report.Findings{
		Command: "diff", Migration: doc.Migration, Dir: "plans", At: time.Date(2026, 11, 22, 10, 15, 0, 0, time.UTC), ExitCode: 1,
		Diff: &doc, Checks: doc.Checks, Diagnostics: doc.Diagnostics, Errors: []string{nasty},
		Text: func(w io.Writer) error { return report.DiffText(w, doc, report.Options{}) },
		JSON: func(w io.Writer) error { return report.DiffJSON(w, doc) },
	}
}

func written(t *testing.T, kind report.Kind, f *report.Findings) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Write(&out, kind, f); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestKinds(t *testing.T) {
	for _, kind := range report.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			text := written(t, kind, findings(t))
			if strings.Contains(text, "\x1b") {
				t.Error("a control character came through")
			}
			golden(t, "report."+string(kind), []byte(text))
		})
	}
	if err := report.Write(io.Discard, "pdf", findings(t)); err == nil {
		t.Error("a kind that does not exist is written")
	}
}

// What comes from clusters is no markup: nothing of it survives beside its
// escapes, and a cell ends where kplan ends it.
func TestMarkdownEscapes(t *testing.T) {
	text := written(t, report.KindMarkdown, findings(t))
	for _, bad := range []string{"<script>", "a|b", "`c`", " *d*", " _e_", "[f](", "@team", " #12", "$x$", "~~h~~", "\n## head"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in it as it came", bad)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
}

// Rows are dropped, the summary and the reasons are not, and what is missing is
// said.
func TestMarkdownStaysWithinTheLimit(t *testing.T) {
	f := findings(t)
	for i := range 5000 {
		f.Checks = append(f.Checks,
			diff.Check{Name: "topics.parity", Object: diff.Object{Kind: "topic", Name: fmt.Sprintf("orders_%05d", i)}, Verdict: diff.Fail, Saw: fmt.Sprintf("%d|%s", i, strings.Repeat("<", 900)), Advice: "mend it"},
			diff.Check{Name: "connect", Object: diff.Object{Kind: "broker", Name: fmt.Sprint(i)}, Verdict: diff.Pass, Saw: "it is"},
		)
	}
	f.Migration, f.Outcome = strings.Repeat("m<", 2000), strings.Repeat("o|", 2000)
	text := written(t, report.KindMarkdown, f)
	if len(text) > report.MarkdownLimit {
		t.Errorf("%d bytes", len(text))
	}
	if len(text) < report.MarkdownLimit/2 {
		t.Errorf("only %d bytes: more was dropped than had to be", len(text))
	}
	for _, want := range []string{"5002 pass", "exit code 1", "no lossless way back", "\nLeft out to stay within 60000 characters: ", "of “Failed checks”", "of “Passed checks”", "reason: three &#124; large ones"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if small := written(t, report.KindMarkdown, findings(t)); strings.Contains(small, "Left out") {
		t.Error("something is left out of a small report")
	}
}

// Unknown is no pass, a waived check no failure, and the sums are right.
func TestJUnitCounts(t *testing.T) {
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Cases    []struct {
			Class   string    `xml:"classname,attr"`
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Error   *struct{} `xml:"error"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testsuite>testcase"`
	}
	if err := xml.Unmarshal([]byte(written(t, report.KindJUnit, findings(t))), &got); err != nil {
		t.Fatal(err)
	}
	outcome, sums := map[string]string{}, map[string]int{}
	for _, c := range got.Cases {
		word := "pass"
		switch {
		case c.Failure != nil:
			word = "failure"
		case c.Error != nil:
			word = "error"
		case c.Skipped != nil:
			word = "skipped"
		}
		sums[word]++
		key := c.Class + " " + c.Name
		if outcome[key] != "" {
			t.Errorf("two cases are called %s", key)
		}
		outcome[key] = word
	}
	for key, want := range map[string]string{
		"kplan diff": "error", "connect broker old/1": "error", "offsets.placed group g": "error", "capacity.brokers cluster new": "skipped",
		"connect broker old/2": "pass", "connect broker old/2 (2)": "pass", "topics.parity topic orders.old": "failure",
		"plan.KP1203 a dir/x.kplan.hcl:4, Unknown argument": "error",
	} {
		if outcome[key] != want {
			t.Errorf("%s: %q, want %q", key, outcome[key], want)
		}
	}
	want := map[string]int{"pass": len(got.Cases) - got.Failures - got.Errors - got.Skipped, "failure": got.Failures, "error": got.Errors, "skipped": got.Skipped}
	if d := cmp.Diff(want, sums); d != "" || got.Tests != len(got.Cases) {
		t.Errorf("%d of %d cases are counted (-said +there):\n%s", got.Tests, len(got.Cases), d)
	}
}

// A run that failed without a check is not green, and one that waits neither.
func TestJUnitOfTheRun(t *testing.T) {
	for _, test := range []struct {
		name string
		f    report.Findings
		want string
	}{
		{"stranded", report.Findings{Outcome: "failed with a service stopped", ExitCode: 8, Errors: []string{"page someone"}}, "<error message=\"failed with a service stopped, exit code 8\""},
		{"interrupted", report.Findings{Outcome: "interrupted", ExitCode: 130}, "<error message=\"interrupted, exit code 130\""},
		{"parked", report.Findings{Outcome: "parked", ExitCode: 4, Waiting: []string{"gate.cutover: not met"}}, "<skipped message=\"parked, exit code 4\""},
		{"done", report.Findings{Outcome: "done"}, `<testsuite name="kplan" tests="1" failures="0" errors="0" skipped="0"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.f.Command = "apply"
			if text := written(t, report.KindJUnit, &test.f); !strings.Contains(text, test.want) {
				t.Errorf("%s is not in\n%s", test.want, text)
			}
		})
	}
}

// A report is there whole or not at all, and what was there before stays.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.txt")
	broken := errors.New("broken")
	write := func(text string, err error) error {
		return report.WriteFile(path, func(w io.Writer) error {
			_, werr := io.WriteString(w, text)
			return errors.Join(werr, err)
		})
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	if err := write(strings.Repeat("half", 10_000), broken); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("%s, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for name, want := range map[string]string{filepath.Join(dir, "no", "where"): "Make it first", dir: "not a regular file", filepath.Join(path, "x"): "not a directory"} {
		if err := report.CheckFile(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
