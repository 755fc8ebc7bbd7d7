package plan

import "github.com/hashicorp/hcl/v2"

// DiagnosticJSON is one diagnostic for machines. Lines and columns count from
// 1; they are 0 where no file is to blame. An end lies behind the last
// character.
type DiagnosticJSON struct {
	Severity  string `json:"severity"` // "error" or "warning"
	Code      Code   `json:"code"`
	Summary   string `json:"summary"`
	Detail    string `json:"detail"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
}

// DiagnosticsJSON converts diagnostics, in their order. The result is never
// nil, so that it is [] in JSON.
func DiagnosticsJSON(diags hcl.Diagnostics) []DiagnosticJSON {
	list := make([]DiagnosticJSON, 0, len(diags))
	for _, d := range diags {
		j := DiagnosticJSON{Severity: "error", Code: CodeOf(d), Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if d.Subject != nil {
			j.File = d.Subject.Filename
			j.Line, j.Column = d.Subject.Start.Line, d.Subject.Start.Column
			j.EndLine, j.EndColumn = d.Subject.End.Line, d.Subject.End.Column
		}
		list = append(list, j)
	}
	return list
}
