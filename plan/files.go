package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The endings of file names that kplan reads in a plan's directory.
const (
	PlanSuffix = ".kplan.hcl"
	AutoSuffix = ".auto.kpvars.hcl"
)

// A file beyond this size is no plan, and HCL's parser has no limit of its
// own.
const maxFileSize = 1 << 20

// Sources keeps the text of the loaded files for the renderer, and which parts
// of it are never shown.
type Sources struct {
	files     map[string]*source
	sensitive map[string]bool // names of sensitive arguments
	secrets   []string        // values of sensitive arguments, to find them elsewhere
}

type source struct {
	name   string
	text   []byte
	body   *hclsyntax.Body // as far as it parsed
	broken bool            // it did not parse
	values bool            // a file of variable values
	hidden []span          // sorted, not overlapping
	lines  []int           // where each line begins
}

// setText sets the text and finds its lines.
func (f *source) setText(text []byte) {
	f.text = text
	f.lines = []int{0}
	for i, b := range text {
		if b == '\n' {
			f.lines = append(f.lines, i+1)
		}
	}
}

// line returns a line, counted from 1, without its line break.
func (f *source) line(number int) (span, bool) {
	if number < 1 || number > len(f.lines) {
		return span{}, false
	}
	s := span{f.lines[number-1], len(f.text)}
	if number < len(f.lines) {
		s.end = f.lines[number] - 1
	}
	if s.end > s.start && f.text[s.end-1] == '\r' {
		s.end--
	}
	return s, true
}

// span is a range of bytes.
type span struct{ start, end int }

func newSources() *Sources { return &Sources{files: map[string]*source{}} }

// inOrder returns the files of one kind by name.
func (s *Sources) inOrder(values bool) []*source {
	var found []*source
	for _, f := range s.files {
		if f.values == values {
			found = append(found, f)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].name < found[j].name })
	return found
}

func (s *Sources) broken() bool {
	for _, f := range s.files {
		if f.broken {
			return true
		}
	}
	return false
}

// readFiles reads and parses everything. It returns false when there is no
// plan to look at.
func (l *loader) readFiles() bool {
	entries, err := os.ReadDir(l.opts.Dir)
	if err != nil {
		l.nowhere("KP1002", "The plan's directory %s cannot be read: %s. Choose another with -C.", quote(l.opts.Dir), cause(err))
		return false
	}
	plans := 0
	for _, e := range entries {
		name := e.Name()
		// Editors keep locks and backups under such names.
		if strings.HasPrefix(name, ".") {
			continue
		}
		switch {
		case strings.HasSuffix(name, PlanSuffix):
			plans++
			l.readFile(filepath.Join(l.opts.Dir, name), name, false)
		case strings.HasSuffix(name, AutoSuffix):
			l.readFile(filepath.Join(l.opts.Dir, name), name, true)
		}
	}
	for _, path := range l.opts.VarFiles {
		l.readFile(path, path, true)
	}
	if plans == 0 {
		l.nowhere("KP1001", "No file in %s ends in %s, so there is no plan here. A plan begins with two clusters and a migration:\n\n"+
			"  cluster \"old\" { bootstrap = [\"a.old.example:9092\"] }\n"+
			"  cluster \"new\" { bootstrap = [\"a.new.example:9092\"] }\n\n"+
			"  migration \"orders\" {\n    source = cluster.old\n    target = cluster.new\n"+
			"    scheme \"production_first\" {}\n    topics { include = [\"orders.*\"] }\n  }\n\n"+
			"Write it into orders%s, or choose the directory of another plan with -C.", quote(l.opts.Dir), PlanSuffix, PlanSuffix)
		return false
	}
	return true
}

// readFile reads one file under the name by which people know it.
func (l *loader) readFile(path, name string, values bool) {
	if _, taken := l.sources.files[name]; taken {
		if !values || path == name && l.sources.files[name].values {
			return
		}
		name = "./" + name
	}
	text, err := readRegular(path)
	if err != nil {
		l.nowhere("KP1002", "%s cannot be read: %s.", quote(name), cause(err))
		// What it may hold is missing, as after a syntax error.
		l.sources.files[name] = &source{name: name, values: values, broken: true}
		return
	}
	if utf16(text) {
		l.nowhere("KP1003", "%s is written in UTF-16, and kplan reads UTF-8. Save it as UTF-8, or convert it: iconv -f UTF-16 -t UTF-8.", quote(name))
		l.sources.files[name] = &source{name: name, values: values, broken: true}
		return
	}
	f := &source{name: name, values: values}
	f.setText(text)
	l.sources.files[name] = f
	if rng, ok := tooDeep(text, name); ok {
		f.broken = true
		l.errorf("KP1003", rng, "Brackets or operators are nested too deeply here. Split the expression with locals.")
		return
	}
	parsed, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if parsed != nil {
		f.body, _ = parsed.Body.(*hclsyntax.Body)
	}
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			f.broken = true
		}
		n := NewDiagnostic("KP1003", d.Severity, strings.TrimRight(d.Summary, ".")+". "+d.Detail, d.Subject)
		l.diags = append(l.diags, n)
	}
}

// utf16 reports whether the text has the byte order mark of UTF-16, or a zero
// byte in each of its first characters, as editors on Windows write it.
func utf16(text []byte) bool {
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return true
	}
	return len(text) >= 4 && (text[0] == 0) != (text[1] == 0) && (text[0] == 0) == (text[2] == 0) && (text[1] == 0) == (text[3] == 0)
}

// readRegular reads a file that is a file: a pipe or a device would hang, and
// one without end would fill the memory.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > maxFileSize {
		return nil, fmt.Errorf("it has %d bytes, and kplan reads at most %d", info.Size(), maxFileSize)
	}
	return os.ReadFile(path)
}

// cause takes the path out of a file error, for messages that have it already.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// tooDeep finds text on which the parser, which recurses, could exhaust the
// stack; that ends a Go program at once.
func tooDeep(text []byte, name string) (hcl.Range, bool) {
	const maxDepth, maxOperators = 200, 1000
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
			if t.Type == hclsyntax.TokenTemplateControl {
				operators++ // the directive ends, but what it begins goes on
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
			hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth--
		case hclsyntax.TokenComma, hclsyntax.TokenEqual:
			operators = 0
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenStar, hclsyntax.TokenSlash,
			hclsyntax.TokenPercent, hclsyntax.TokenQuestion, hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenDot,
			hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenGreaterThan,
			hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThanEq:
			operators++
		}
		if depth > maxDepth || operators > maxOperators {
			return t.Range, true
		}
	}
	return hcl.Range{}, false
}
