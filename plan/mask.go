package plan

import (
	"bytes"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// minSecret is the length from which a secret is looked for in other text.
// Shorter ones are words by chance, and hiding those would tell more than it
// hides.
const minSecret = 6

// sensitiveName reports whether an argument of that name is likely to hold a
// secret: the sensitive arguments themselves, their misspellings, and what
// people call secrets elsewhere. Too many are better than too few: nothing but
// a snippet depends on it.
func (s *Sources) sensitiveName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "secret", "token", "pwd", "credential", "apikey", "api_key", "jaas"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for known := range s.sensitive {
		if levenshtein.Distance(name, known, nil) <= misspelling(known) {
			return true
		}
	}
	return false
}

// misspelling is how many errors a typing of the name may have. Two away from
// "url" is every word of two letters.
func misspelling(name string) int {
	if len(name) < 5 {
		return 1
	}
	return 2
}

// addSecrets remembers the texts of a value that must not appear anywhere.
func (s *Sources) addSecrets(v cty.Value) {
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, x cty.Value) (bool, error) {
		if x.Type() == cty.String && x.IsKnown() && !x.IsNull() {
			for _, line := range strings.Split(x.AsString(), "\n") {
				line = strings.TrimSpace(line)
				if len(line) >= minSecret && !s.sensitive[line] {
					s.secrets = append(s.secrets, line)
				}
			}
		}
		return true, nil
	})
	// A secret may be a part of another one.
	sort.Slice(s.secrets, func(i, j int) bool { return len(s.secrets[i]) > len(s.secrets[j]) })
}

// scrub takes secrets out of a text.
func (s *Sources) scrub(text string) string {
	if s == nil {
		return text
	}
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
}

// hideSecrets decides which parts of the files are never shown: the source of
// every sensitive argument, and of every variable and local value that such an
// argument refers to, wherever they are defined.
func (s *Sources) hideSecrets() {
	tainted := s.taint()
	anyBroken := len(s.inOrder(false)) != len(s.parsed())
	for _, f := range s.files {
		switch {
		case f.values && (f.broken || anyBroken):
			// Which of the values are secrets cannot be known.
			f.hideAllValues()
			continue
		case f.broken:
			f.hideLexically(s, tainted)
		default:
			f.hideParsed(s, tainted)
		}
		f.hideWords(s)
		f.normalise()
	}
}

// parsed returns the plan files that parse.
func (s *Sources) parsed() []*source {
	var found []*source
	for _, f := range s.inOrder(false) {
		if !f.broken {
			found = append(found, f)
		}
	}
	return found
}

// taint collects var.NAME and local.NAME whose definitions are as sensitive as
// the arguments that refer to them, however indirectly.
func (s *Sources) taint() map[string]bool {
	tainted := map[string]bool{}
	needs := map[string][]string{} // local.NAME → what it refers to
	for _, f := range s.inOrder(false) {
		if f.broken {
			for _, ref := range f.lexicalReferences(s) {
				tainted[ref] = true
			}
		}
		if f.body == nil {
			continue
		}
		f.eachAttribute(func(path []*hclsyntax.Block, a *hclsyntax.Attribute) {
			refs := references(a.Expr)
			if len(path) > 0 && path[len(path)-1].Type == "locals" {
				needs["local."+a.Name] = append(needs["local."+a.Name], refs...)
			}
			if s.sensitiveName(a.Name) {
				for _, r := range refs {
					tainted[r] = true
				}
			}
			// Any true: what cannot be evaluated counts as a secret.
			if a.Name == "sensitive" && len(path) > 0 && path[0].Type == "variable" && len(path[0].Labels) > 0 {
				if v, diags := a.Expr.Value(nil); diags.HasErrors() || v.Type() != cty.Bool || !v.IsKnown() || v.IsNull() || v.True() {
					tainted["var."+path[0].Labels[0]] = true
				}
			}
		})
	}
	for todo := sortedKeys(tainted); len(todo) > 0; todo = todo[1:] {
		for _, r := range needs[todo[0]] {
			if !tainted[r] {
				tainted[r] = true
				todo = append(todo, r)
			}
		}
	}
	return tainted
}

func references(expr hclsyntax.Expression) []string {
	var refs []string
	for _, t := range expr.Variables() {
		if name, ok := memberName(t); ok {
			refs = append(refs, t.RootName()+"."+name)
		}
	}
	return refs
}

// eachAttribute visits all attributes with the blocks around them, outermost
// first.
func (f *source) eachAttribute(visit func(path []*hclsyntax.Block, a *hclsyntax.Attribute)) {
	var walk func(path []*hclsyntax.Block, b *hclsyntax.Body)
	walk = func(path []*hclsyntax.Block, b *hclsyntax.Body) {
		for _, name := range sortedKeys(b.Attributes) {
			visit(path, b.Attributes[name])
		}
		for _, inner := range b.Blocks {
			walk(append(path[:len(path):len(path)], inner), inner.Body)
		}
	}
	if f.body != nil {
		walk(nil, f.body)
	}
}

// hideParsed hides by the syntax tree.
func (f *source) hideParsed(s *Sources, tainted map[string]bool) {
	f.eachAttribute(func(path []*hclsyntax.Block, a *hclsyntax.Attribute) {
		inner := ""
		if len(path) > 0 {
			inner = path[len(path)-1].Type
		}
		switch {
		case s.sensitiveName(a.Name),
			f.values && isTainted(tainted, "var."+a.Name),
			inner == "locals" && isTainted(tainted, "local."+a.Name),
			inner == "variable" && holdsDefault(a.Name) && len(path[0].Labels) > 0 && (isTainted(tainted, "var."+path[0].Labels[0]) || s.sensitiveName(path[0].Labels[0])):
			f.hide(a.EqualsRange.End.Byte, f.lineEnd(a.SrcRange.End.Byte-1))
		default:
			f.hideItems(s, a.Expr)
		}
	})
}

// isTainted also counts misspellings, since those are what is shown.
func isTainted(tainted map[string]bool, ref string) bool {
	if tainted[ref] {
		return true
	}
	for t := range tainted {
		if levenshtein.Distance(t, ref, nil) <= 2 {
			return true
		}
	}
	return false
}

// holdsDefault reports whether an argument of a variable may be its default,
// misspelt or not.
func holdsDefault(name string) bool {
	return name != "type" && name != "sensitive" && name != "description"
}

// hideItems hides items of objects whose keys name secrets.
func (f *source) hideItems(s *Sources, expr hclsyntax.Expression) {
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		object, is := n.(*hclsyntax.ObjectConsExpr)
		if !is {
			return nil
		}
		for _, item := range object.Items {
			key := strings.Trim(string(f.slice(item.KeyExpr.Range())), `"`)
			if s.sensitiveName(key) {
				f.hide(item.KeyExpr.Range().End.Byte, f.lineEnd(item.ValueExpr.Range().End.Byte-1))
			}
		}
		return nil
	})
}

func (f *source) slice(r hcl.Range) []byte {
	if !r.CanSliceBytes(f.text) {
		return nil
	}
	return r.SliceBytes(f.text)
}

func (f *source) hide(start, end int) {
	if start < 0 {
		start = 0
	}
	if end > len(f.text) {
		end = len(f.text)
	}
	if start < end {
		f.hidden = append(f.hidden, span{start, end})
	}
}

// lineEnd is the end of the line on which a byte stands; a line break stands
// on the line that it ends, which is where the range of a heredoc ends too. What follows a secret
// on its line is hidden with it: it may be a comment with the last one.
func (f *source) lineEnd(at int) int {
	if at = max(at, 0); at > len(f.text) {
		return len(f.text)
	}
	if i := bytes.IndexByte(f.text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(f.text)
}

// normalise sorts and joins what is hidden.
func (f *source) normalise() {
	sort.Slice(f.hidden, func(i, j int) bool { return f.hidden[i].start < f.hidden[j].start })
	var joined []span
	for _, h := range f.hidden {
		if n := len(joined); n > 0 && h.start <= joined[n-1].end {
			joined[n-1].end = max(joined[n-1].end, h.end)
			continue
		}
		joined = append(joined, h)
	}
	f.hidden = joined
}

// hides reports whether any of a range is hidden.
func (f *source) hides(r hcl.Range) bool {
	end := max(r.End.Byte, r.Start.Byte+1)
	for _, h := range f.hidden {
		if r.Start.Byte < h.end && h.start < end {
			return true
		}
	}
	return false
}

// sanitise takes secrets out of the diagnostics themselves. Texts that come
// from HCL or from functions may quote their place.
func (l *loader) sanitise() {
	for _, d := range l.diags {
		d.Detail = l.sources.scrub(d.Detail)
		if d.Subject == nil {
			continue
		}
		f := l.sources.files[d.Subject.Filename]
		switch CodeOf(d) {
		case "KP1003", "KP1110", "KP1111":
			if f != nil && f.hides(*d.Subject) && !strings.Contains(d.Detail, notShown) {
				d.Detail = "The text here cannot be understood. " + notShown
			}
		}
	}
}
