package plan

import (
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// local is one named value.
type local struct {
	name  string
	attr  *hclsyntax.Attribute
	value cty.Value
	state localState
}

type localState int

const (
	localNew localState = iota
	localOpen
	localDone
)

// evaluateLocals gives every local value its value, in whatever order they
// need each other.
func (l *loader) evaluateLocals(root *block) {
	l.locals = map[string]*local{}
	for _, b := range root.all("locals") {
		for _, name := range sortedKeys(b.attrs) {
			a := b.attrs[name]
			if first := l.locals[name]; first != nil {
				l.errorf("KP1118", a.NameRange, "The local value %s is defined already, at %s. Rename or remove one.", quote(name), place(first.attr.NameRange))
				continue
			}
			l.locals[name] = &local{name: name, attr: a, value: cty.DynamicVal}
		}
	}
	all := map[string]cty.Value{}
	for _, name := range l.localsByPlace() {
		l.evaluateLocal(l.locals[name], nil)
		all[name] = l.locals[name].value
	}
	l.scope.Variables["local"] = cty.ObjectVal(all)
}

// localsByPlace makes the report of a circle begin where the reader does.
func (l *loader) localsByPlace() []string {
	names := sortedKeys(l.locals)
	sort.SliceStable(names, func(i, j int) bool {
		a, b := l.locals[names[i]].attr.NameRange, l.locals[names[j]].attr.NameRange
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		return a.Start.Byte < b.Start.Byte
	})
	return names
}

func (l *loader) evaluateLocal(x *local, chain []string) {
	if x.state == localDone {
		return
	}
	chain = append(chain, "local."+x.name)
	if x.state == localOpen {
		l.circle(chain)
		return
	}
	x.state = localOpen
	defer func() { x.state = localDone }()

	needs := map[string]cty.Value{}
	for _, t := range x.attr.Expr.Variables() {
		name, static := memberName(t)
		if t.RootName() != "local" || !static || l.locals[name] == nil {
			continue
		}
		l.evaluateLocal(l.locals[name], chain)
		needs[name] = l.locals[name].value
	}
	if !l.checkReferences(x.attr.Expr, evaluation{secret: l.sources.sensitiveName(x.name)}) {
		return
	}
	ctx := &hcl.EvalContext{Functions: l.funcs, Variables: map[string]cty.Value{
		"var": l.scope.Variables["var"], "local": cty.ObjectVal(needs),
	}}
	if v, ok := l.evalIn(x.attr.Expr, ctx, evaluation{secret: l.sources.sensitiveName(x.name)}); ok {
		x.value = v
	}
}

// circle reports a chain that ends where it has been before.
func (l *loader) circle(chain []string) {
	last := chain[len(chain)-1]
	for chain[0] != last {
		chain = chain[1:]
	}
	first := l.locals[strings.TrimPrefix(last, "local.")]
	l.errorf("KP1107", first.attr.NameRange, "The value depends on itself: %s. Break the circle.", strings.Join(chain, " needs "))
}
