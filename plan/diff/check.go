package diff

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"kplan/plan"
)

// Verdict is the answer of a check.
type Verdict string

// The verdicts. Error means that the question could not be asked.
const (
	Unknown Verdict = "unknown"
	Pass    Verdict = "pass"
	Fail    Verdict = "fail"
	Error   Verdict = "error"
)

// The names of the checks that a diff answers, as `waive` takes them.
const (
	CheckParity    = "topics.parity"
	CheckRetention = "retention.backlog"
	CheckOrder     = "order.kept"
	CheckACLs      = "acls.parity"
	CheckQuotas    = "quotas.parity"
	CheckUsers     = "users.parity"

	CheckTransactions = "transactions.open"
)

// LongTransaction is for how long a transaction may have been open when a writer
// of its topic is stopped: Kafka's default timeout of producers
// (transaction.timeout.ms). One that outlives it has no producer that ends it.
const LongTransaction = time.Minute

// Check is a question with its answer. Passed checks are left out of a diff:
// the absence of a change says the same.
type Check struct {
	Name    string  `json:"name"`
	Object  Object  `json:"object"`
	Verdict Verdict `json:"verdict"`
	Asked   string  `json:"asked"`
	Saw     string  `json:"saw"`
	Advice  string  `json:"advice"`
	Waived  string  `json:"waived,omitempty"` // the waiver's reason
}

// Waive marks the checks that the plan waives.
func Waive(m *plan.Migration, checks []Check) []Check {
	reasons := map[string]string{}
	for _, w := range m.Waivers {
		reasons[w.Check] = w.Reason
	}
	marked := append([]Check{}, checks...)
	for i := range marked {
		if reason, ok := reasons[marked[i].Name]; ok && marked[i].Verdict != Pass {
			marked[i].Waived = reason
		}
	}
	return marked
}

// Diagnostic is a problem of the plan in the form of the documents.
type Diagnostic struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // error or warning
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Range    *Range `json:"range,omitempty"`
}

// Range is a place in a file, lines and columns counted from 1.
type Range struct {
	File  string `json:"file"`
	Start Place  `json:"start"`
	End   Place  `json:"end"`
}

// Place is one end of a range.
type Place struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Diagnostics converts, keeping the order.
func Diagnostics(diags hcl.Diagnostics) []Diagnostic {
	all := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		one := Diagnostic{Code: string(plan.CodeOf(d)), Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			one.Severity = "warning"
		}
		if d.Subject != nil {
			one.Range = &Range{
				File:  d.Subject.Filename,
				Start: Place{d.Subject.Start.Line, d.Subject.Start.Column},
				End:   Place{d.Subject.End.Line, d.Subject.End.Column},
			}
		}
		all = append(all, one)
	}
	return all
}
