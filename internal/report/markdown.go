package report

import (
	"fmt"
	"io"
	"strings"

	"kplan/plan/diff"
	"kplan/plan/graph"
)

// MarkdownLimit is how long a Markdown report may be, in bytes. GitHub takes
// comments of 65,536 characters; GitLab and Gitea take longer ones.
const MarkdownLimit = 60_000

const (
	leftOutRoom  = 1500 // bytes kept for saying what was left out
	widestCell   = 600  // characters of one cell, before escaping
	widestHeader = 400  // of each part of the summary
)

// section is a part of the report that can lose rows from its end.
type section struct {
	title string // as it is written and as it is named when it is left out
	fold  bool   // collapsed until somebody asks
	table bool
	rows  []string
}

// writeMarkdown writes for a pull request: one line that says it all, what
// failed with what to do, what changes by phase, what is waived and why, and
// the details, collapsed. Where that is too long the last parts lose rows
// first, the summary never.
func writeMarkdown(w io.Writer, f *Findings) error {
	head := summary(f)
	sections := sections(f)
	room := MarkdownLimit - len(head) - leftOutRoom
	size := 0
	for _, s := range sections {
		size += s.size()
	}
	body, left := fit(sections, room, size > room)
	if len(left) > 0 {
		body += fmt.Sprintf("\nLeft out to stay within %d characters: %s. `--report json=FILE` has everything.\n", MarkdownLimit, strings.Join(left, "; "))
	}
	_, err := io.WriteString(w, head+body)
	return err
}

// summary is what always stands first.
func summary(f *Findings) string {
	name := "kplan " + f.Command
	if f.Migration != "" {
		name += " " + prose(clip(f.Migration, widestHeader))
	}
	parts := []string{fmt.Sprintf("**%s: %s**", name, prose(clip(f.verdict(), widestHeader)))}
	if f.Steps != nil {
		parts = append(parts, fmt.Sprintf("%d of %d steps done", f.Steps.Done, f.Steps.Total))
	}
	counts := tally(f.Checks)
	var checks []string
	for _, v := range verdictsCounted() {
		if counts[v] > 0 {
			checks = append(checks, fmt.Sprintf("%d %s", counts[v], v))
		}
	}
	if len(checks) > 0 {
		parts = append(parts, "checks: "+strings.Join(checks, ", "))
	}
	errs, warnings := 0, 0
	for _, d := range f.Diagnostics {
		if d.Severity == "error" {
			errs++
		} else {
			warnings++
		}
	}
	if errs+warnings > 0 {
		parts = append(parts, fmt.Sprintf("plan: %s, %s", count(errs, "error"), count(warnings, "warning")))
	}
	parts = append(parts, fmt.Sprintf("exit code %d", f.ExitCode))
	text := strings.Join(parts, " · ") + "\n"
	if f.Diff != nil {
		text += "\n" + prose(clip(header(*f.Diff, Options{}), widestHeader)) + "\\\n" + prose(clip(total(*f.Diff), widestHeader)) + "\n"
	}
	return text
}

func sections(f *Findings) []section {
	all := []section{
		{title: "Errors", rows: bullets(f.Errors)},
		{title: "Waiting", rows: bullets(f.Waiting)},
		{title: "Failed checks", table: true, rows: cells(checkRows(open(f.Checks), Options{}))},
		{title: "The plan", rows: diagnosticRows(f.Diagnostics)},
	}
	if f.Diff != nil {
		number := 0
		for _, phase := range graph.Phases() {
			if rows := phaseRows(*f.Diff, phase, Options{}); len(rows) > 0 {
				number++
				all = append(all, section{title: fmt.Sprintf("%d %s", number, phase), table: true, rows: cells(rows)})
			}
		}
	}
	all = append(all, section{title: "Waived", table: true, rows: cells(checkRows(waivedOnly(f.Checks), Options{}))})
	full := Options{Full: true}
	if f.Diff != nil && !f.Diff.Empty() {
		for _, phase := range graph.Phases() {
			all = append(all, section{title: "All of " + string(phase), fold: true, table: true, rows: cells(phaseRows(*f.Diff, phase, full))})
		}
	}
	each := cells(checkRows(f.Checks, full))
	if len(each) > len(checkRows(f.Checks, Options{})) {
		all = append(all, section{title: "Each check that did not pass", fold: true, table: true, rows: each})
	}
	return append(all, section{title: "Passed checks", fold: true, table: true, rows: cells(passed(f.Checks))})
}

// fit writes the sections. With cut a section takes no more than half of the
// room that is left, unless it is the last, and what it loses is named.
func fit(all []section, room int, cut bool) (body string, left []string) {
	var b strings.Builder
	for i, s := range all {
		if len(s.rows) == 0 {
			continue
		}
		share := room - b.Len()
		if i < len(all)-1 {
			share /= 2
		}
		before, after := s.frame()
		n, size := 0, len(before)+len(after)
		for ; n < len(s.rows) && (!cut || size+len(s.rows[n]) <= share); n++ {
			size += len(s.rows[n])
		}
		if n < len(s.rows) {
			left = append(left, fmt.Sprintf("%d of %d rows of “%s”", len(s.rows)-n, len(s.rows), s.title))
		}
		if n > 0 {
			b.WriteString(before + strings.Join(s.rows[:n], "") + after)
		}
	}
	return b.String(), left
}

// size is how long the section is, with everything, in bytes.
func (s section) size() int {
	if len(s.rows) == 0 {
		return 0
	}
	before, after := s.frame()
	n := len(before) + len(after)
	for _, r := range s.rows {
		n += len(r)
	}
	return n
}

// frame is what stands around the rows.
func (s section) frame() (before, after string) {
	before = "\n### " + s.title + "\n\n"
	if s.fold {
		before, after = fmt.Sprintf("\n<details><summary>%s (%d)</summary>\n\n", s.title, len(s.rows)), "\n</details>\n"
	}
	if s.table {
		before += "| | | | |\n|---|---|---|---|\n"
	}
	return before, after
}

// cells turns rows of a text into those of a table.
func cells(rows []row) []string {
	var all []string
	for _, r := range rows {
		detail := prose(clip(r.detail, widestCell))
		for _, below := range r.below {
			detail += "<br>" + prose(clip(below, widestCell))
		}
		all = append(all, fmt.Sprintf("| %s %s | %s | %s | %s |\n",
			prose(r.mark), prose(r.word), prose(clip(r.object, widestCell)), detail, prose(clip(r.tail, widestCell))))
	}
	return all
}

func bullets(lines []string) []string {
	var all []string
	for _, l := range lines {
		all = append(all, "- "+prose(clip(clean(l), widestCell))+"\n")
	}
	return all
}

func diagnosticRows(diags []diff.Diagnostic) []string {
	var all []string
	for _, d := range diags {
		place := spot(d)
		if place != "" {
			place = " (" + prose(clip(place, widestCell)) + ")"
		}
		all = append(all, fmt.Sprintf("- **%s** %s %s%s: %s\n", d.Severity, d.Code, prose(d.Summary), place, prose(clip(clean(d.Detail), widestCell))))
	}
	return all
}

func waivedOnly(checks []diff.Check) []diff.Check {
	var all []diff.Check
	for _, c := range checks {
		if c.Waived != "" {
			all = append(all, c)
		}
	}
	return all
}

// passed gives every check that passed its row.
func passed(checks []diff.Check) []row {
	var rows []row
	for _, c := range checks {
		if c.Verdict == diff.Pass {
			rows = append(rows, row{word: string(c.Verdict), object: c.Name, detail: about(c.Object) + ": " + clean(c.Saw)})
		}
	}
	return rows
}

// clip shortens a text to so many characters.
func clip(s string, to int) string {
	if r := []rune(s); len(r) > to {
		return string(r[:to-1]) + "…"
	}
	return s
}

// escapes are those of prose. What would be read before a backslash is, is an
// entity.
var escapes = strings.NewReplacer( // nothing writes it, and making it is dear
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;", `\`, "&#92;",
	"*", `\*`, "_", `\_`, "~", `\~`, "[", `\[`, "]", `\]`, "$", `\$`,
	"@", "@<!-- -->", "#", "#<!-- -->",
)

// prose writes text so that Markdown and HTML take it as it is: no markup, no
// end of a cell, no mention of people and no reference to an issue.
func prose(s string) string { return escapes.Replace(s) }
