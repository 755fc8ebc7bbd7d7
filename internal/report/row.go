package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// Options say how text is written.
type Options struct {
	Full  bool // expand what is folded
	Color bool // ANSI colours
	ASCII bool // no other characters than ASCII of our own
}

// row is one line: a symbol with its word, and columns.
type row struct {
	mark, word           string
	object, detail, tail string
	below                []string // further lines, indented
}

// text collects the lines of a report.
type text struct {
	opts  Options
	lines []any // string or row
}

func (t *text) line(s string) { t.lines = append(t.lines, s) }
func (t *text) row(r row)     { t.lines = append(t.lines, r) }

const (
	widestObject = 44
	widestDetail = 72
)

// write aligns the columns of all rows. A column that is wider than its limit
// pushes the rest of its own line only.
func (t *text) write(w io.Writer) error {
	word, object, detail := 0, 0, 0
	for _, l := range t.lines {
		if r, ok := l.(row); ok {
			word = max(word, width(r.word))
			if n := width(r.object); n <= widestObject {
				object = max(object, n)
			}
			if n := width(r.detail); n <= widestDetail && r.tail != "" {
				detail = max(detail, n)
			}
		}
	}
	var b strings.Builder
	for _, l := range t.lines {
		r, ok := l.(row)
		if !ok {
			b.WriteString(t.plain(l.(string)) + "\n")
			continue
		}
		head := t.paint(r.mark, r.mark+" "+pad(r.word, word))
		rest := pad(r.object, object)
		if r.detail != "" || r.tail != "" {
			rest += "  " + pad(r.detail, detail)
		}
		if r.tail != "" {
			rest += "  " + r.tail
		}
		b.WriteString(strings.TrimRight("  "+head+"  "+t.plain(rest), " ") + "\n")
		for _, below := range r.below {
			b.WriteString(strings.Repeat(" ", 6+word) + t.plain(below) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func width(s string) int { return utf8.RuneCountInString(s) }

func pad(s string, to int) string {
	if n := width(s); n < to {
		return s + strings.Repeat(" ", to-n)
	}
	return s
}

func (t *text) plain(s string) string {
	if !t.opts.ASCII {
		return s
	}
	return strings.NewReplacer("→", "->", "…", "...", "≈", "~").Replace(s)
}

// paint colours a symbol and its word.
func (t *text) paint(mark, s string) string {
	if !t.opts.Color {
		return s
	}
	colors := map[string]string{"+": "32", "~": "33", ">": "36", "?": "35", "!": "31", "i": "2"}
	return "\x1b[" + colors[mark] + "m" + s + "\x1b[0m"
}
