package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"kplan/plan"
	"kplan/plan/diff"
)

// The parts of SARIF 2.1.0 (OASIS, 2020) that kplan writes.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool       `json:"tool"`
		Automation sarifAutomation `json:"automationDetails"`
		Columns    string          `json:"columnKind"`
		Results    []sarifResult   `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Full  sarifText `json:"fullDescription"`
		Help  sarifText `json:"help"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifAutomation struct {
		ID string `json:"id"` // ends with a slash: a category, not one run of it
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		Index     int             `json:"ruleIndex"`
		Level     string          `json:"level"` // error or warning
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
)

// sarifSchema is where OASIS publishes the schema of 2.1.0.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// writeSARIF writes the diagnostics, with the codes that occur as rules.
func writeSARIF(w io.Writer, f *Findings) error {
	run := sarifRun{
		Tool:       sarifTool{Driver: sarifDriver{Name: "kplan", Rules: []sarifRule{}}},
		Automation: sarifAutomation{ID: "kplan/" + f.Command + "/"},
		Columns:    "unicodeCodePoints", Results: []sarifResult{},
	}
	if f.Migration != "" {
		run.Automation.ID += f.Migration + "/"
	}
	index := map[string]int{}
	for _, code := range codesOf(f.Diagnostics) {
		index[code] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleOf(code))
	}
	for _, d := range f.Diagnostics {
		result := sarifResult{Rule: d.Code, Index: index[d.Code], Level: d.Severity, Message: sarifText{clean(d.Summary + ": " + d.Detail)}}
		if d.Range != nil {
			result.Locations = []sarifLocation{{sarifPhysical{f.artifact(d.Range.File), region(*d.Range)}}}
		}
		run.Results = append(run.Results, result)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}); err != nil {
		return fmt.Errorf("writing the SARIF report: %w", err)
	}
	return nil
}

// codesOf returns the codes that occur, in ascending order.
func codesOf(diags []diff.Diagnostic) []string {
	var all []string
	for _, d := range diags {
		all = append(all, d.Code)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func ruleOf(code string) sarifRule {
	info, ok := plan.CodeInfoOf(plan.Code(code))
	if !ok {
		info.Summary = "Problem without a description"
	}
	return sarifRule{ID: code, Short: sarifText{info.Summary}, Full: sarifText{info.Explain}, Help: sarifText{info.WayOut}}
}

// artifact names a file of the plan. Code hosts look for it from the root of
// the repository, which is where they start kplan: so the plan's directory, as
// -C gives it, stands before a name that is relative to it.
func (f *Findings) artifact(file string) sarifArtifact {
	dir := f.Dir
	if slices.Contains(f.VarFiles, file) {
		dir = ""
	}
	file = strings.ReplaceAll(file, `\`, "/")
	if path.IsAbs(file) {
		return sarifArtifact{URI: (&url.URL{Scheme: "file", Path: file}).String()}
	}
	return sarifArtifact{URI: (&url.URL{Path: path.Join(dir, file)}).String(), Base: "%SRCROOT%"}
}

// region counts from 1, as diagnostics do, and never ends before it begins.
func region(r diff.Range) sarifRegion {
	out := sarifRegion{max(1, r.Start.Line), max(1, r.Start.Column), max(1, r.End.Line), max(1, r.End.Column)}
	if out.EndLine < out.StartLine {
		out.EndLine = out.StartLine
	}
	if out.EndLine == out.StartLine && out.EndColumn < out.StartColumn {
		out.EndColumn = out.StartColumn
	}
	return out
}
