package checks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/plan/diff"
)

func topic(name string) diff.Object { return diff.Object{Kind: "topic", Name: name} }

// Every selected topic is judged exactly once: by the changes that are open, or
// by what the diff knows already.
func TestParity(t *testing.T) {
	changes := []diff.Change{
		{Action: diff.Create, Object: topic("missing")},
		{Action: diff.Update, Object: topic("differs"), Before: map[string]string{"config.a": "1", "partitions": "2"}, After: map[string]string{"config.a": "5", "partitions": "4"}},
		{Action: diff.Update, Object: topic("both"), Before: map[string]string{"config.a": "1"}, After: map[string]string{"config.a": "2"}},
		{Action: diff.Run, Object: diff.Object{Kind: "service", Name: "fine"}},
		{Action: diff.Noteworthy, Object: topic("fine")},
	}
	known := []checks.Result{
		{Name: checks.NameParity, Object: topic("foreign"), Verdict: diff.Fail},
		{Name: checks.NameParity, Object: topic("both"), Verdict: diff.Fail},
		{Name: checks.NameCapacity, Object: topic("fine"), Verdict: diff.Fail},
	}
	got := map[string]string{}
	for _, r := range checks.Parity([]string{"both", "differs", "fine", "foreign", "missing"}, changes, known) {
		if _, twice := got[r.Object.Name]; twice {
			t.Errorf("%s is judged twice", r.Object.Name)
		}
		got[r.Object.Name] = string(r.Verdict) + ": " + r.Saw
	}
	want := map[string]string{
		"both":    "fail: config.a is 1, wanted 2",
		"differs": "fail: config.a is 1, wanted 5, partitions is 2, wanted 4",
		"fine":    "pass: as wanted",
		"missing": "fail: missing on the target",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("judged (-want +got):\n%s", d)
	}
}

// Errors of the graph fail, warnings do not.
func TestFromDiagnostics(t *testing.T) {
	got := checks.FromDiagnostics([]diff.Diagnostic{
		{Code: "KP2003", Severity: "error", Summary: "Unknown reader", Detail: "group x"},
		{Code: "KP2007", Severity: "warning", Summary: "Entangled"},
	})
	if len(got) != 1 || got[0].Verdict != diff.Fail || got[0].Object.Name != "KP2003" || got[0].Saw != "Unknown reader: group x" {
		t.Errorf("got %+v", got)
	}
}

func TestFailing(t *testing.T) {
	all := []checks.Result{{Name: "a", Verdict: diff.Pass}, {Name: "b", Verdict: diff.Unknown}, {Name: "c", Verdict: diff.Error}, {Name: "d", Verdict: diff.Fail}}
	var names string
	for _, r := range checks.Failing(all) {
		names += r.Name
	}
	if names != "bcd" {
		t.Errorf("failing: %s", names)
	}
}
