package report

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

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

// writePrometheus writes Prometheus' text format, as the textfile collector of
// the node exporter reads it. A verdict or action that did not come up is there
// with 0, so that a rule does not lose its series.
func writePrometheus(w io.Writer, f *Findings) error {
	all := prometheus.NewRegistry()
	for _, m := range metrics(f) {
		gauges := prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: m.name, Help: m.help, ConstLabels: prometheus.Labels{"command": f.Command, "migration": f.Migration},
		}, labelsOf(m.label))
		for _, s := range m.values {
			gauges.WithLabelValues(labelsOf(s.label)...).Set(float64(s.value))
		}
		if err := all.Register(gauges); err != nil {
			return fmt.Errorf("writing the metric %s: %w", m.name, err)
		}
	}
	families, err := all.Gather()
	if err != nil {
		return fmt.Errorf("writing the metrics: %w", err)
	}
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
			return fmt.Errorf("writing the metric %s: %w", f.GetName(), err)
		}
	}
	return nil
}

// labelsOf is one label, or none.
func labelsOf(label string) []string {
	if label == "" {
		return nil
	}
	return []string{label}
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
