package plan

// Kind is the type of an argument's value as people write it.
type Kind string

// The kinds.
const (
	KindString   Kind = "string"
	KindInt      Kind = "whole number"
	KindNumber   Kind = "number" // may have a fraction; at least AttrSpec.Min
	KindBool     Kind = "bool"
	KindDuration Kind = "duration"           // text with a unit: "2h"
	KindEnum     Kind = "one of"             // AttrSpec.Values
	KindStrings  Kind = "list of strings"    //
	KindWords    Kind = "list of words"      // AttrSpec.Values
	KindPatterns Kind = "list of patterns"   // globs and /regular expressions/
	KindConfig   Kind = "map of configs"     // Kafka's keys
	KindHeaders  Kind = "map of headers"     // of HTTP; sensitive
	KindPath     Kind = "path"               // relative to the plan's directory
	KindCluster  Kind = "cluster reference"  // cluster.NAME
	KindVersion  Kind = "version constraint" // ">= 0.1, < 2"
	KindText     Kind = "text"               // may refer to side.NAME
	KindType     Kind = "type"               // string, list(string), ...
	KindAny      Kind = "any value"
)

// ValueSpec is one word that an enumerated argument takes.
type ValueSpec struct {
	Value    string
	Doc      string
	NotBuilt string // as in AttrSpec
	Never    string // as in AttrSpec
}

// AttrSpec describes one argument.
type AttrSpec struct {
	Name      string
	Kind      Kind
	Required  bool
	Default   string      // for people; empty: none
	Values    []ValueSpec // KindEnum, KindWords
	Min       string      // least value of a KindInt or KindNumber (empty: 1) or a KindDuration (empty: 0)
	NoMax     bool        // a KindInt without an upper limit; else it is at most 32767
	Sensitive bool        // takes sensitive values only, and its source is never shown
	Clear     bool        // Sensitive, but may stand in clear text: it is hidden all the same
	MayBeNil  bool        // an empty text or list is a value
	MayBlank  bool        // an empty element of a list is a value
	Doc       string      // one sentence
	// NotBuilt is empty for arguments that work. Otherwise this version knows
	// the name only, and the text (a sentence or two) gives the way out.
	NotBuilt string
	// Never is empty, or says (a sentence or two) why kplan will not have what
	// people know by that name elsewhere, and what to do instead.
	Never string
}

// BlockSpec describes one kind of block. Blocks whose first label chooses the
// kind (switch "exec") have one BlockSpec per kind, told apart by Variant.
type BlockSpec struct {
	Type     string
	Variant  string   // the first label's fixed value, or empty
	Labels   []string // what the labels mean, in capitals; without the variant
	Required bool     // at least one (of any variant)
	Many     bool     // more than one is allowed
	Free     bool     // any argument name is allowed (locals)
	Attrs    []AttrSpec
	Blocks   []BlockSpec
	Doc      string
	NotBuilt string // as in AttrSpec
}

// Spec returns the whole language as a nameless block that stands for the
// file. The caller owns the result.
func Spec() *BlockSpec {
	return &BlockSpec{
		Doc: "A directory of *.kplan.hcl files is one plan.",
		Blocks: []BlockSpec{
			specKplan(), specState(), specStateKafka(), specVariable(), specLocals(), specCluster(), specMigration(),
		},
	}
}

// Attr returns the argument of that name, or nil.
func (b *BlockSpec) Attr(name string) *AttrSpec {
	for i := range b.Attrs {
		if b.Attrs[i].Name == name {
			return &b.Attrs[i]
		}
	}
	return nil
}

// BlocksOf returns the blocks of that type, one per variant.
func (b *BlockSpec) BlocksOf(typ string) []*BlockSpec {
	var found []*BlockSpec
	for i := range b.Blocks {
		if b.Blocks[i].Type == typ {
			found = append(found, &b.Blocks[i])
		}
	}
	return found
}

// Header is how the block begins, as people write it: switch "exec", or
// cluster "NAME".
func (b *BlockSpec) Header() string {
	text := b.kindName()
	for _, l := range b.Labels {
		text += ` "` + l + `"`
	}
	return text
}

// Walk visits the block and everything below it, parents first; path is the
// chain of enclosing blocks.
func (b *BlockSpec) Walk(visit func(path []*BlockSpec, b *BlockSpec)) { b.walk(nil, visit) }

func (b *BlockSpec) walk(path []*BlockSpec, visit func([]*BlockSpec, *BlockSpec)) {
	visit(path, b)
	inner := append(path[:len(path):len(path)], b)
	for i := range b.Blocks {
		b.Blocks[i].walk(inner, visit)
	}
}

// names returns every argument and block type of the block, without
// duplicates.
func (b *BlockSpec) names() []string {
	var names []string
	seen := map[string]bool{}
	add := func(n string) {
		if !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	for _, a := range b.Attrs {
		if a.Never == "" { // not offered
			add(a.Name)
		}
	}
	for _, c := range b.Blocks {
		add(c.Type)
	}
	return names
}

// kindName is the type of the block, with the variant where there is one.
func (b *BlockSpec) kindName() string {
	if b.Variant == "" {
		return b.Type
	}
	return b.Type + ` "` + b.Variant + `"`
}

// homes names the blocks that have an argument, or a block, of that name: by
// their type, by their variant where not all variants have it, and with the
// block around them where blocks of that type elsewhere do not have it.
func (b *BlockSpec) homes(name string, argument bool) []string {
	known := func(at *BlockSpec) bool {
		if argument {
			return at.Attr(name) != nil
		}
		return len(at.BlocksOf(name)) > 0
	}
	namesakes := map[string]bool{} // types of blocks without it
	b.Walk(func(_ []*BlockSpec, at *BlockSpec) {
		if !known(at) {
			namesakes[at.Type] = true
		}
	})
	var homes []string
	b.Walk(func(path []*BlockSpec, at *BlockSpec) {
		if len(path) == 0 || !known(at) {
			return
		}
		home, around := at.Type, path[len(path)-1]
		variants := around.BlocksOf(at.Type)
		for _, kind := range variants {
			if !known(kind) {
				home = at.kindName()
			}
		}
		if namesakes[at.Type] && len(variants) == 1 {
			home += " of " + around.Type
		}
		if !contains(homes, home) {
			homes = append(homes, home)
		}
	})
	return homes
}

// sensitiveNames returns the names of all sensitive arguments.
func (b *BlockSpec) sensitiveNames() map[string]bool {
	names := map[string]bool{}
	b.Walk(func(_ []*BlockSpec, at *BlockSpec) {
		for _, a := range at.Attrs {
			if a.Sensitive {
				names[a.Name] = true
			}
		}
	})
	return names
}
