package report

import (
	"fmt"
	"io"
	"strings"

	"kplan/plan/diff"
)

// metric is one family of samples.
type metric struct {
	name, help string
	label      string // the name of the label that tells the samples apart; "": there is one
	values     []sample
}

type sample struct {
	label string
	value int64
}

// writePrometheus writes the text format 0.0.4, as the textfile collector of
// the node exporter reads it. A verdict or action that did not come up is there
// with 0, so that a rule does not lose its series.
func writePrometheus(w io.Writer, f *Findings) error {
	var b strings.Builder
	common := fmt.Sprintf("command=%s,migration=%s", quoted(f.Command), quoted(f.Migration))
	for _, m := range metrics(f) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
		for _, s := range m.values {
			labels := common
			if m.label != "" {
				labels += "," + m.label + "=" + quoted(s.label)
			}
			fmt.Fprintf(&b, "%s{%s} %d\n", m.name, labels, s.value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func metrics(f *Findings) []metric {
	all := []metric{{name: "kplan_checks", help: "Checks of the last run by verdict; of diff and apply only those that did not pass.", label: "verdict"}}
	counts := tally(f.Checks)
	for _, v := range verdictsCounted() {
		all[0].values = append(all[0].values, sample{v, int64(counts[v])})
	}
	if f.Diff != nil {
		s := f.Diff.Summary
		all = append(all, metric{
			name: "kplan_changes", help: "What the last run found to change, to run and to note, by action.", label: "action",
			values: []sample{
				{string(diff.Create), int64(s.Create)}, {string(diff.Update), int64(s.Update)}, {string(diff.Run), int64(s.Run)},
				{string(diff.Human), int64(s.Human)}, {string(diff.Noteworthy), int64(s.Notes)},
			},
		})
	}
	if f.Steps != nil {
		all = append(all, metric{
			name: "kplan_steps", help: "Steps of the migration after the last apply.", label: "status",
			values: []sample{{"done", int64(f.Steps.Done)}, {"left", int64(f.Steps.Total - f.Steps.Done)}},
		})
	}
	return append(all,
		metric{name: "kplan_run_exit_code", help: "Exit code of the last run, as kplan help lists them.", values: []sample{{value: int64(f.ExitCode)}}},
		metric{name: "kplan_report_timestamp_seconds", help: "When the last run ended, in seconds since 1970-01-01 UTC.", values: []sample{{value: f.At.Unix()}}},
	)
}

// quoted writes the value of a label.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
