package plan

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// block is a block of the files whose names have been compared with its
// specification. It holds what is known and built; the rest is reported.
type block struct {
	spec   *BlockSpec
	labels []label // without the variant
	attrs  map[string]*hclsyntax.Attribute
	blocks []*block
	named  map[twins]*block // of those that may stand several times
	rng    hcl.Range        // its header
	first  hcl.Range        // of a root: where the first file begins
}

// twins are blocks of one type with the same first label.
type twins struct{ typ, label string }

type label struct {
	text string
	rng  hcl.Range
}

// only returns the block of that type, or nil.
func (b *block) only(typ string) *block {
	if b == nil {
		return nil
	}
	for _, c := range b.blocks {
		if c.spec.Type == typ {
			return c
		}
	}
	return nil
}

// all returns the blocks of that type in the order of the files.
func (b *block) all(typ string) []*block {
	var found []*block
	if b == nil {
		return nil
	}
	for _, c := range b.blocks {
		if c.spec.Type == typ {
			found = append(found, c)
		}
	}
	return found
}

// checker compares names with the specification. seen notes what is present,
// built or not, so that a block that is not built is not missing as well.
type checker struct {
	*loader
	seen map[*block]map[string]hcl.Range
}

// checkFiles compares all files with the specification. Files that do not
// parse are left out.
func (l *loader) checkFiles() *block {
	root := &block{spec: l.spec, attrs: map[string]*hclsyntax.Attribute{}}
	c := &checker{loader: l, seen: map[*block]map[string]hcl.Range{}}
	for _, f := range l.sources.inOrder(false) {
		if f.broken || f.body == nil {
			continue
		}
		if root.first.Filename == "" {
			root.first = hcl.Range{Filename: f.name, Start: hcl.InitialPos, End: hcl.InitialPos}
		}
		c.body(f.body, root)
	}
	if !l.sources.broken() {
		c.missing(root, root.first)
	}
	return root
}

// body checks the content of one block, or of one file.
func (c *checker) body(body *hclsyntax.Body, into *block) {
	if c.seen[into] == nil {
		c.seen[into] = map[string]hcl.Range{}
	}
	names := make([]string, 0, len(body.Attributes))
	for name := range body.Attributes {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		c.attribute(body.Attributes[name], into)
	}
	for _, b := range body.Blocks {
		c.block(b, into)
	}
}

func (c *checker) attribute(a *hclsyntax.Attribute, into *block) {
	spec := into.spec.Attr(a.Name)
	switch {
	case into.spec.Free:
		into.attrs[a.Name] = a
	case spec != nil && spec.Never != "":
		c.errorf("KP1217", a.NameRange, "kplan has no %s, on purpose. %s", a.Name, spec.Never)
	case spec != nil && spec.NotBuilt != "":
		c.notBuilt(a.NameRange, a.Name, spec.NotBuilt)
	case spec != nil:
		into.attrs[a.Name] = a
		c.seen[into]["="+a.Name] = a.NameRange
	case len(into.spec.BlocksOf(a.Name)) > 0:
		kind := into.spec.BlocksOf(a.Name)[0]
		c.errorf("KP1213", a.NameRange, "%s is a block. Write it without the equals sign: %s { ... }", a.Name, kind.Header())
		c.seen[into]["~"+a.Name] = a.NameRange // not missing as well
	default:
		c.unknown("KP1203", "argument", a.Name, into.spec, a.NameRange)
	}
}

func (c *checker) block(b *hclsyntax.Block, into *block) {
	kinds := into.spec.BlocksOf(b.Type)
	switch {
	case b.Type == "dynamic":
		c.notBuilt(b.TypeRange, "dynamic blocks", "Write the blocks one by one.")
		return
	case len(kinds) == 0 && into.spec.Attr(b.Type) != nil:
		c.errorf("KP1213", b.TypeRange, "%s is an argument. Write it with an equals sign: %s = ...", b.Type, b.Type)
		c.seen[into]["="+b.Type] = b.TypeRange
		return
	case len(kinds) == 0:
		c.unknown("KP1201", "block", b.Type, into.spec, b.TypeRange)
		return
	}
	first, repeated := c.seen[into][b.Type]
	c.seen[into][b.Type] = b.TypeRange
	kind, labels, ok := c.chooseKind(b, kinds)
	if !ok {
		return
	}
	if kind.NotBuilt != "" {
		what := kind.Type
		if kind.Variant != "" {
			what = kind.Header()
		}
		c.notBuilt(b.TypeRange, what, kind.NotBuilt)
		return
	}
	if repeated && !kind.Many {
		c.errorf("KP1207", b.TypeRange, "There can be only one %s here, and the first is at %s.%s", b.Type, place(first), onlyOne(b.Type))
	}
	made := &block{spec: kind, labels: labels, attrs: map[string]*hclsyntax.Attribute{}, rng: b.DefRange()}
	if twin := into.twin(made); twin != nil {
		c.errorf("KP1216", made.labels[0].rng, "There is %s %s already, at %s. Rename or remove one.", withArticle(kind.Type), quote(labels[0].text), place(twin.rng))
	}
	c.body(b.Body, made)
	if repeated && !kind.Many {
		return
	}
	c.missing(made, made.rng)
	into.adopt(made)
}

func onlyOne(typ string) string {
	if typ == "migration" {
		return " One directory is one plan with one migration: move this one to a directory of its own."
	}
	return " Put the settings into one."
}

// twin returns an earlier block of the same type and labels.
func (b *block) twin(of *block) *block {
	if !of.spec.Many || len(of.labels) == 0 {
		return nil
	}
	return b.named[twins{of.spec.Type, of.labels[0].text}]
}

// adopt takes a block in. Of twins the first counts.
func (b *block) adopt(c *block) {
	b.blocks = append(b.blocks, c)
	if !c.spec.Many || len(c.labels) == 0 || b.twin(c) != nil {
		return
	}
	if b.named == nil {
		b.named = map[twins]*block{}
	}
	b.named[twins{c.spec.Type, c.labels[0].text}] = c
}

// chooseKind finds the kind by the first label and splits off the other
// labels.
func (c *checker) chooseKind(b *hclsyntax.Block, kinds []*BlockSpec) (*BlockSpec, []label, bool) {
	var labels []label
	for i, text := range b.Labels {
		labels = append(labels, label{text, b.LabelRanges[i]})
	}
	kind := kinds[0]
	if kind.Variant != "" {
		var variants []string
		for _, k := range kinds {
			variants = append(variants, k.Variant)
		}
		if len(labels) == 0 {
			c.errorf("KP1208", b.TypeRange, "%s needs a label that chooses its kind: %s.", b.Type, oneOf(built(kinds)))
			return nil, nil, false
		}
		kind = nil
		for _, k := range kinds {
			if k.Variant == labels[0].text {
				kind = k
			}
		}
		if kind == nil {
			c.errorf("KP1202", labels[0].rng, "There is no %s %s.%s It can be %s.", b.Type, quote(labels[0].text),
				didYouMean(labels[0].text, variants), oneOf(built(kinds)))
			return nil, nil, false
		}
		labels = labels[1:]
	}
	if len(labels) != len(kind.Labels) {
		rng := b.TypeRange
		if len(labels) > len(kind.Labels) {
			rng = labels[len(kind.Labels)].rng
		}
		c.errorf("KP1208", rng, "This block has %s too %s. Write it as: %s { ... }", plural(abs(len(labels)-len(kind.Labels)), "label"),
			map[bool]string{true: "many", false: "few"}[len(labels) > len(kind.Labels)], kind.Header())
		return nil, nil, false
	}
	return kind, labels, true
}

func built(kinds []*BlockSpec) []string {
	var names []string
	for _, k := range kinds {
		if k.NotBuilt == "" {
			names = append(names, k.Variant)
		}
	}
	return names
}

// missing reports required arguments and blocks that are not there.
func (c *checker) missing(b *block, at hcl.Range) {
	for _, a := range b.spec.Attrs {
		if _, there := c.seen[b]["="+a.Name]; a.Required && !there {
			c.errorf("KP1205", at, "%s needs the argument %s. %s", b.spec.Type, a.Name, a.Doc)
		}
	}
	done := map[string]bool{}
	for i := range b.spec.Blocks {
		kind := &b.spec.Blocks[i]
		_, there := c.seen[b][kind.Type]
		_, meant := c.seen[b]["~"+kind.Type]
		if !kind.Required || there || meant || done[kind.Type] {
			continue
		}
		done[kind.Type] = true
		if kind.Variant != "" {
			var headers []string
			for _, k := range b.spec.BlocksOf(kind.Type) {
				if k.NotBuilt == "" {
					headers = append(headers, k.Header())
				}
			}
			c.errorf("KP1206", at, "%s needs a %s block: %s.", whereName(b.spec), kind.Type, strings.Join(headers, " or "))
			continue
		}
		c.errorf("KP1206", at, "%s needs a %s block. %s", whereName(b.spec), kind.Type, kind.Doc)
	}
}

func whereName(spec *BlockSpec) string {
	if spec.Type == "" {
		return "A plan"
	}
	return spec.Type
}

func (c *checker) notBuilt(rng hcl.Range, what, wayOut string) {
	c.errorf("KP1204", rng, "kplan knows %s, but this version cannot do it yet. %s", what, wayOut)
}

// unknown reports a name that the language does not have at this place.
func (c *checker) unknown(code Code, what, name string, spec *BlockSpec, rng hcl.Range) {
	homes := c.spec.homes(name, what == "argument")
	where := "at the top of a plan file"
	if spec.Type != "" {
		where = "in " + spec.Type
	}
	for _, home := range homes {
		if strings.HasPrefix(home, spec.Type+" ") { // another variant has it
			where = "in " + spec.kindName()
		}
	}
	text := fmt.Sprintf("There is no %s %s %s.", what, quote(name), where)
	if hint := didYouMean(name, spec.names()); hint != "" {
		c.errorf(code, rng, "%s%s", text, hint)
		return
	}
	if len(homes) > 0 {
		c.errorf(code, rng, "%s It belongs in %s.", text, strings.Join(homes, " or "))
		return
	}
	known := spec.names()
	sort.Strings(known)
	if len(known) == 0 {
		c.errorf(code, rng, "%s Nothing is known there.", text)
		return
	}
	c.errorf(code, rng, "%s Known there: %s.", text, strings.Join(known, ", "))
}

// place is a position for a message.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

func plural(n int, word string) string {
	if n == 1 {
		return "one " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
