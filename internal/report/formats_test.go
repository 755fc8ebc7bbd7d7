package report_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/report"
	"kplan/plan/diff"
)

// samples reads the text format 0.0.4 strictly: HELP, then TYPE, then samples
// of that family, each series once, names by the conventions.
func samples(text string) (map[string]float64, error) {
	var (
		help   = regexp.MustCompile(`^# HELP ([a-z][a-z0-9_]*) \S.*$`)
		typ    = regexp.MustCompile(`^# TYPE ([a-z][a-z0-9_]*) gauge$`)
		sample = regexp.MustCompile(`^([a-z][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+\}) (\S+)$`)
	)
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line does not end")
	}
	all := map[string]float64{}
	helped, typed := "", ""
	families := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if m := help.FindStringSubmatch(line); m != nil {
			if families[m[1]] || typed != helped {
				return nil, fmt.Errorf("out of place: %s", line)
			}
			helped, families[m[1]] = m[1], true
			continue
		}
		if m := typ.FindStringSubmatch(line); m != nil && m[1] == helped {
			typed = m[1]
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || m[1] != typed {
			return nil, fmt.Errorf("not understood: %s", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if _, twice := all[m[1]+m[2]]; err != nil || twice {
			return nil, fmt.Errorf("twice or no number: %s", line)
		}
		all[m[1]+m[2]] = value
	}
	return all, nil
}

func TestPrometheusParsesBack(t *testing.T) {
	f := findings(t)
	f.Steps = &report.Steps{Done: 3, Total: 10}
	got, err := samples(written(t, report.KindPrometheus, f))
	if err != nil {
		t.Fatal(err)
	}
	const common = `{command="diff",migration="orders"`
	want := map[string]float64{
		`kplan_steps` + common + `,status="done"}`:      3,
		`kplan_steps` + common + `,status="left"}`:      7,
		`kplan_run_exit_code` + common + `}`:            1,
		`kplan_report_timestamp_seconds` + common + `}`: 1795342500,
	}
	for _, v := range []string{"pass", "fail", "unknown", "error", "waived"} {
		n := 0.0
		for _, c := range f.Checks {
			if c.Waived == "" && string(c.Verdict) == v || c.Waived != "" && v == "waived" {
				n++
			}
		}
		want[`kplan_checks`+common+`,verdict="`+v+`"}`] = n
	}
	s := f.Diff.Summary
	for action, n := range map[diff.Action]int{diff.Create: s.Create, diff.Update: s.Update, diff.Run: s.Run, diff.Human: s.Human, diff.Noteworthy: s.Notes} {
		want[`kplan_changes{action="`+string(action)+`",command="diff",migration="orders"}`] = float64(n)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	// Zero is said, and a name cannot break out of its label.
	got, err = samples(written(t, report.KindPrometheus, &report.Findings{Command: "verify", Migration: "a\"b\\c\nd"}))
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := got[`kplan_checks{command="verify",migration="a\"b\\c\nd",verdict="fail"}`]; !ok || n != 0 {
		t.Errorf("no zero: %v", got)
	}
	for _, bad := range []string{"x 1\n", "# HELP x y\n# TYPE x gauge\nx{a=\"b\"} 1", "# HELP x y\n# TYPE x gauge\nx{a=\"b\"} 1\nx{a=\"b\"} 2\n"} {
		if _, err := samples(bad); err == nil {
			t.Errorf("the parser takes %q", bad)
		}
	}
}

// The fields that the schema of SARIF 2.1.0 requires are there, and the values
// that it restricts are among those allowed.
func TestSARIFIsWellFormed(t *testing.T) {
	f := findings(t)
	f.VarFiles = []string{"prod.hcl"}
	at := diff.Place{Line: 2, Column: 7}
	for _, file := range []string{"prod.hcl", "/etc/vars.hcl"} {
		f.Diagnostics = append(f.Diagnostics, diff.Diagnostic{Code: "KP1209", Severity: "error", Summary: "s", Detail: "d", Range: &diff.Range{File: file, Start: at, End: at}})
	}
	f.Diagnostics = append(f.Diagnostics, diff.Diagnostic{Code: "KP1001", Severity: "warning", Summary: "s", Detail: "d"})
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID                                      string
						ShortDescription, FullDescription, Help struct{ Text string }
					}
				}
			}
			ColumnKind string
			Results    []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI, URIBaseID string }
						Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(written(t, report.KindSARIF, f)), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-schema-2.1.0") || len(log.Runs) != 1 {
		t.Fatalf("%+v", log)
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name != "kplan" || run.ColumnKind != "unicodeCodePoints" || len(run.Results) != len(f.Diagnostics) {
		t.Errorf("%+v", run)
	}
	for _, rule := range run.Tool.Driver.Rules {
		if rule.ID == "" || rule.ShortDescription.Text == "" || rule.FullDescription.Text == "" || rule.Help.Text == "" {
			t.Errorf("rule %+v", rule)
		}
	}
	uris := map[string]string{}
	for i, r := range run.Results {
		if r.Message.Text == "" || r.Level != "error" && r.Level != "warning" || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || r.RuleID != f.Diagnostics[i].Code {
			t.Errorf("result %+v", r)
		}
		for _, l := range r.Locations {
			region := l.PhysicalLocation.Region
			if region.StartLine < 1 || region.StartColumn < 1 || region.EndLine < region.StartLine || region.EndLine == region.StartLine && region.EndColumn < region.StartColumn {
				t.Errorf("region %+v", region)
			}
			uris[f.Diagnostics[i].Range.File] = l.PhysicalLocation.ArtifactLocation.URIBaseID + " " + l.PhysicalLocation.ArtifactLocation.URI
		}
	}
	want := map[string]string{"a dir/x.kplan.hcl": "%SRCROOT% plans/a%20dir/x.kplan.hcl", "prod.hcl": "%SRCROOT% prod.hcl", "/etc/vars.hcl": " file:///etc/vars.hcl"}
	if d := cmp.Diff(want, uris); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
