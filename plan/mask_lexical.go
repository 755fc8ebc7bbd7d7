package plan

import (
	"bytes"
	"regexp"
	"strings"
)

// Files that do not parse have no syntax tree to trust, so their secrets are
// found by their words. The rule is to hide too much when in doubt.

var (
	// A name followed by what makes it an assignment, or by a quoted word as
	// when an argument is mistaken for a block.
	assignment = regexp.MustCompile(`([\pL_][\pL\pN_.-]*)(?:["']?\s*[=:]|[ \t]+"[^\s{])`)
	// A line that begins something new, or ends a block.
	freshLine = regexp.MustCompile(`^\s*(?:[\pL_][\pL\pN_-]*\s*(?:=|\{|"[^"]*"\s*(?:"[^"]*"\s*)*\{)|\}|#|//|$)`)
	heredoc   = regexp.MustCompile(`<<-?\s*([\pL_][\pL\pN_-]*)`)
	reference = regexp.MustCompile(`\b(var|local)(?:\.|\[\s*")([\pL_][\pL\pN_-]*)`)
)

// hideWords hides the rest of a line behind a name that speaks of a secret,
// wherever it stands: in comments, in texts, in broken syntax.
func (f *source) hideWords(s *Sources) {
	for _, m := range assignment.FindAllSubmatchIndex(f.text, -1) {
		if s.sensitiveName(string(f.text[m[2]:m[3]])) {
			f.hide(f.valueStart(m), f.lineEnd(m[1]-1))
		}
	}
}

// valueStart keeps the sign between a name and its value, so that a snippet
// still reads as what it is.
func (f *source) valueStart(match []int) int {
	if last := f.text[match[1]-1]; last == '=' || last == ':' {
		return match[1]
	}
	return match[3]
}

// hideLexically hides the values of sensitive and tainted names in a file that
// does not parse.
func (f *source) hideLexically(s *Sources, tainted map[string]bool) {
	defaults := false
	for ref := range tainted {
		defaults = defaults || strings.HasPrefix(ref, "var.")
	}
	for _, m := range assignment.FindAllSubmatchIndex(f.text, -1) {
		name := string(f.text[m[2]:m[3]])
		other := tainted["local."+name] || name == "default" && defaults
		if s.sensitiveName(name) || other && f.begins(m[2]) {
			end := f.valueEnd(m[1])
			f.hide(f.valueStart(m), end)
			if end == len(f.text) {
				return
			}
		}
	}
}

// begins reports whether nothing stands before a byte on its line but the
// brace of a block.
func (f *source) begins(at int) bool {
	line := bytes.TrimSpace(f.text[bytes.LastIndexByte(f.text[:at], '\n')+1 : at])
	return len(line) == 0 || bytes.HasSuffix(line, []byte("{"))
}

// lexicalReferences finds var.NAME and local.NAME in the values of sensitive
// names.
func (f *source) lexicalReferences(s *Sources) []string {
	var refs []string
	for _, m := range assignment.FindAllSubmatchIndex(f.text, -1) {
		if !s.sensitiveName(string(f.text[m[2]:m[3]])) {
			continue
		}
		end := f.valueEnd(m[1])
		for _, r := range reference.FindAllSubmatch(f.text[m[3]:end], -1) {
			refs = append(refs, string(r[1])+"."+string(r[2]))
		}
		if end == len(f.text) {
			break
		}
	}
	return refs
}

// valueEnd guesses where a value ends that begins at a byte behind its equals
// sign: at the end of the line when that looks complete, at the marker of a
// heredoc, and at the end of the file when neither can be told.
func (f *source) valueEnd(from int) int {
	end := f.lineEnd(from)
	line := f.text[min(from, end):end]
	if m := heredoc.FindSubmatch(line); m != nil {
		closing := regexp.MustCompile(`(?m)^[ \t]*` + regexp.QuoteMeta(string(m[1])) + `[ \t\r]*$`)
		if at := closing.FindIndex(f.text[end:]); at != nil {
			return end + at[1]
		}
		return len(f.text)
	}
	if !complete(line) {
		return len(f.text)
	}
	// What follows belongs to the value as long as it begins nothing new.
	for end < len(f.text) {
		next := f.lineEnd(end + 1)
		if freshLine.Match(f.text[end+1 : next]) {
			break
		}
		end = next
	}
	return end
}

// complete reports whether quotes and brackets of a line are closed and it
// holds anything at all.
func complete(line []byte) bool {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || bytes.Count(line, []byte(`"`))%2 != 0 {
		return false
	}
	for _, pair := range []string{"()", "[]"} {
		if bytes.Count(line, []byte(pair[:1])) > bytes.Count(line, []byte(pair[1:])) {
			return false
		}
	}
	// A closing brace may belong to the block around the value.
	return bytes.Count(line, []byte("{")) <= bytes.Count(line, []byte("}")) && !bytes.HasPrefix(line, []byte("{"))
}

// hideAllValues hides everything in a file of variable values but the names:
// which of them are secrets cannot be known.
func (f *source) hideAllValues() {
	at, open := 0, false
	for _, line := range bytes.SplitAfter(f.text, []byte("\n")) {
		text := bytes.TrimRight(line, "\r\n")
		start := at
		if i := bytes.IndexByte(text, '='); i >= 0 && freshLine.Match(text) && !open {
			start = at + i + 1
		}
		// Lines of a heredoc may look like anything.
		open = open || heredoc.Match(text)
		if len(bytes.TrimSpace(text)) > 0 {
			f.hide(start, at+len(text))
		}
		at += len(line)
	}
	f.normalise()
}
