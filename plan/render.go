package plan

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	textWidth    = 78  // of details
	snippetWidth = 160 // of source lines, in characters
	snippetLines = 4
)

// WriteDiagnostics writes diagnostics for people: severity, code and summary,
// the place, the line with a mark under what is meant, and the detail. Sources
// may be nil, or miss a file; then there is no snippet. The source of
// sensitive arguments shows as "(sensitive)".
//
// HCL's own writer is not used because it prints the values of variables.
func WriteDiagnostics(w io.Writer, sources *Sources, diags hcl.Diagnostics, color bool) error {
	var out bytes.Buffer
	for i, d := range diags {
		if i > 0 {
			out.WriteByte('\n')
		}
		writeDiagnostic(&out, sources, d, color)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing diagnostics: %w", err)
	}
	return nil
}

func writeDiagnostic(out *bytes.Buffer, sources *Sources, d *hcl.Diagnostic, color bool) {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	word := paint("1;31", "Error:")
	if d.Severity == hcl.DiagWarning {
		word = paint("1;33", "Warning:")
	}
	headline := printable(d.Summary)
	if code := CodeOf(d); code != "" {
		headline = string(code) + " " + headline
	}
	fmt.Fprintf(out, "%s %s\n", word, paint("1", headline))
	if d.Subject != nil {
		writePlace(out, sources, *d.Subject, paint)
	}
	for _, line := range wrap(sources.scrub(d.Detail), textWidth) {
		fmt.Fprintf(out, "%s\n", strings.TrimRight("  "+printable(line), " "))
	}
}

func writePlace(out *bytes.Buffer, sources *Sources, r hcl.Range, paint func(string, string) string) {
	f := sources.file(r.Filename)
	in := ""
	if f != nil {
		in = f.enclosing(r.Start.Byte)
	}
	if in != "" {
		in = ", in " + in
	}
	if f == nil || len(f.text) == 0 {
		fmt.Fprintf(out, "  on %s line %d%s\n", printable(r.Filename), r.Start.Line, in)
		return
	}
	fmt.Fprintf(out, "  on %s line %d%s:\n", printable(r.Filename), r.Start.Line, in)
	last := max(r.End.Line, r.Start.Line)
	if r.End.Column == 1 && last > r.Start.Line {
		last--
	}
	width := len(fmt.Sprint(last))
	for number := r.Start.Line; number <= last && number < r.Start.Line+snippetLines; number++ {
		line, ok := f.line(number)
		if !ok {
			break
		}
		shown := f.show(sources, line, r)
		fmt.Fprintf(out, "  %*d: %s\n", width, number, shown.text)
		if number == r.Start.Line {
			fmt.Fprintf(out, "  %*s  %s%s\n", width, "", shown.indent, paint("1;31", strings.Repeat("^", shown.carets)))
		}
	}
	if last >= r.Start.Line+snippetLines {
		fmt.Fprintf(out, "  %*s  …\n", width, "")
	}
}

// file tolerates sources that are nil.
func (s *Sources) file(name string) *source {
	if s == nil {
		return nil
	}
	return s.files[name]
}

// shownLine is a line as it is printed, and where the marks go.
type shownLine struct {
	text   string
	indent string // as wide as what stands before the marks
	carets int
}

// show prints one line with everything hidden replaced, and finds the subject
// in the result.
func (f *source) show(sources *Sources, line span, subject hcl.Range) shownLine {
	var text, indent strings.Builder
	s := shownLine{}
	put := func(piece string, at int) {
		text.WriteString(piece)
		width := utf8.RuneCountInString(piece)
		switch {
		case at < subject.Start.Byte && piece == "\t":
			indent.WriteByte('\t')
		case at < subject.Start.Byte:
			indent.WriteString(strings.Repeat(" ", width))
		case at < max(subject.End.Byte, subject.Start.Byte+1):
			s.carets += width
		}
	}
	hiddenHere := f.hiddenIn(sources, line)
	line = f.near(line, subject.Start.Byte)
	for at := line.start; at < line.end; {
		if len(hiddenHere) > 0 && hiddenHere[0].start <= at {
			h := hiddenHere[0]
			hiddenHere = hiddenHere[1:]
			if h.end <= at {
				continue
			}
			// The mark goes under the replacement when the subject is anywhere
			// in it.
			mark := at
			if subject.Start.Byte > at && subject.Start.Byte < h.end {
				mark = subject.Start.Byte
			}
			if at == h.start && len(bytes.TrimLeft(f.text[line.start:at], " \t")) > 0 && f.text[at-1] != ' ' {
				put(" ", at)
			}
			put(hidden, mark)
			at = h.end
			continue
		}
		r, size := utf8.DecodeRune(f.text[at:line.end])
		piece := string(r)
		if r != '\t' {
			piece = printable(piece)
		}
		put(piece, at)
		at += size
	}
	s.text, s.indent = text.String(), indent.String()
	s.carets = max(s.carets, 1)
	return s.narrow()
}

// near cuts a very long line to the neighbourhood of a byte; narrow makes it
// fit.
func (f *source) near(line span, at int) span {
	if start := at - 4*snippetWidth; start > line.start && at < line.end {
		for line.start = start; !utf8.RuneStart(f.text[line.start]); {
			line.start--
		}
	}
	if end := max(at, line.start) + 8*snippetWidth; end < line.end {
		line.end = end
	}
	return line
}

// hiddenIn returns what is hidden of a line: by place, and by being a secret
// itself.
func (f *source) hiddenIn(sources *Sources, line span) []span {
	found := source{text: f.text}
	for _, h := range f.hidden {
		if h.start < line.end && line.start < h.end {
			found.hide(max(h.start, line.start), min(h.end, line.end))
		}
	}
	if sources != nil {
		text := string(f.text[line.start:line.end])
		for _, secret := range sources.secrets {
			for from := 0; ; {
				i := strings.Index(text[from:], secret)
				if i < 0 {
					break
				}
				found.hide(line.start+from+i, line.start+from+i+len(secret))
				from += i + len(secret)
			}
		}
	}
	found.normalise()
	return found.hidden
}

// narrow cuts very long lines around the marks.
func (s shownLine) narrow() shownLine {
	runes := []rune(s.text)
	if len(runes) <= snippetWidth {
		return s
	}
	before := utf8.RuneCountInString(s.indent)
	start := 0
	if before > snippetWidth/2 {
		start = min(before-snippetWidth/4, len(runes))
	}
	end := min(start+snippetWidth, len(runes))
	cut := string(runes[start:end])
	if start > 0 {
		cut = "…" + cut
		s.indent = strings.Repeat(" ", before-start+1)
	}
	if end < len(runes) {
		cut += "…"
	}
	s.text = cut
	s.carets = max(min(s.carets, end-before), 1)
	return s
}

// enclosing names the blocks around a byte, outermost first.
func (f *source) enclosing(at int) string {
	var names []string
	body := f.body
	for body != nil {
		// Blocks stand in the order of the file, and a body may have thousands.
		next := sort.Search(len(body.Blocks), func(i int) bool { return body.Blocks[i].Range().Start.Byte > at })
		if next == 0 || body.Blocks[next-1].Range().End.Byte <= at {
			break
		}
		inner := body.Blocks[next-1]
		if !f.hides(inner.DefRange()) {
			names = append(names, blockName(inner))
		}
		body = inner.Body
	}
	return strings.Join(names, ", ")
}

func blockName(b *hclsyntax.Block) string {
	text := b.Type
	for _, l := range b.Labels {
		text += " " + quote(l)
	}
	return text
}

// wrap breaks text at spaces. Lines that begin with a space stay as they are:
// they are examples.
func wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		if strings.HasPrefix(paragraph, " ") || paragraph == "" {
			lines = append(lines, paragraph)
			continue
		}
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}
