package plan

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Code identifies a kind of problem for good, such as KP1203. The hundreds
// group the codes: 10 files and syntax, 11 variables, functions and secrets,
// 12 names and values, 13 clusters, 14 topics and groups, 15 services,
// 16 schemes, 17 waivers, verify and state, 18 gates, 19 notifications, 20 the
// graph, 30 the diff.
type Code string

// CodeInfo is what there is to say about a code without a plan at hand.
type CodeInfo struct {
	Code    Code
	Summary string // fixed text, a headline
	Explain string // one paragraph: what it means and why kplan minds
	WayOut  string // what to do
}

// Codes returns every code in ascending order, as a fresh slice.
func Codes() []CodeInfo {
	var all []CodeInfo
	for _, group := range codeGroups() {
		all = append(all, group()...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Code < all[j].Code })
	return all
}

// codeGroups returns the tables, one per range of codes.
func codeGroups() []func() []CodeInfo {
	return []func() []CodeInfo{
		codesFiles, codesValues, codesNames, codesClusters, codesSelection,
		codesServices, codesRest, codesGates, codesNotify, codesGraph, codesDiff,
	}
}

// CodeInfoOf looks a code up; ok is false when there is no such code.
func CodeInfoOf(code Code) (info CodeInfo, ok bool) {
	for _, group := range codeGroups() {
		for _, c := range group() {
			if strings.EqualFold(string(c.Code), string(code)) {
				return c, true
			}
		}
	}
	return CodeInfo{}, false
}

// NewDiagnostic makes a diagnostic with the code's own summary. The detail is
// full sentences: what, why, what to do. rng may be nil where no file is to
// blame; it is copied.
func NewDiagnostic(code Code, severity hcl.DiagnosticSeverity, detail string, rng *hcl.Range) *hcl.Diagnostic {
	info, ok := CodeInfoOf(code)
	if !ok {
		info.Summary = "Problem without a description"
	}
	d := &hcl.Diagnostic{Severity: severity, Summary: info.Summary, Detail: detail, Extra: code}
	if rng != nil {
		d.Subject = rng.Ptr()
	}
	return d
}

// CodeOf returns the code of a diagnostic, or "" when it carries none.
func CodeOf(d *hcl.Diagnostic) Code {
	if d == nil {
		return ""
	}
	code, _ := d.Extra.(Code)
	return code
}

// SortDiagnostics orders by file, line, column and code, in place. Those
// without a place come first: they tend to explain the others.
func SortDiagnostics(diags hcl.Diagnostics) {
	sort.SliceStable(diags, func(i, j int) bool {
		a, b := diags[i], diags[j]
		switch {
		case a.Subject == nil || b.Subject == nil:
			if (a.Subject == nil) != (b.Subject == nil) {
				return a.Subject == nil
			}
		case a.Subject.Filename != b.Subject.Filename:
			return a.Subject.Filename < b.Subject.Filename
		case a.Subject.Start.Line != b.Subject.Start.Line:
			return a.Subject.Start.Line < b.Subject.Start.Line
		case a.Subject.Start.Column != b.Subject.Start.Column:
			return a.Subject.Start.Column < b.Subject.Start.Column
		}
		return CodeOf(a) < CodeOf(b)
	})
}

// report collects diagnostics.
type report struct{ diags hcl.Diagnostics }

func (r *report) errorf(code Code, rng hcl.Range, format string, args ...any) {
	r.diags = append(r.diags, NewDiagnostic(code, hcl.DiagError, fmt.Sprintf(format, args...), &rng))
}

func (r *report) warnf(code Code, rng hcl.Range, format string, args ...any) {
	r.diags = append(r.diags, NewDiagnostic(code, hcl.DiagWarning, fmt.Sprintf(format, args...), &rng))
}

// nowhere reports an error that no file is to blame for.
func (r *report) nowhere(code Code, format string, args ...any) {
	r.diags = append(r.diags, NewDiagnostic(code, hcl.DiagError, fmt.Sprintf(format, args...), nil))
}
