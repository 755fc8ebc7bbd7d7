package plan

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// VarEnvPrefix comes before the name of a variable in the environment.
const VarEnvPrefix = "KPLAN_VAR_"

// variable is one declared variable and its value.
type variable struct {
	name      string
	rng       hcl.Range
	typ       cty.Type
	sensitive bool
	fallback  *hclsyntax.Attribute
}

// declareVariables reads the declarations and gives each variable its value.
// A variable that could not have one is unknown, so that what uses it is not
// reported as well.
func (l *loader) declareVariables(root *block) {
	l.variables = map[string]*variable{}
	l.scope = &hcl.EvalContext{Functions: l.funcs, Variables: map[string]cty.Value{}}
	for _, b := range root.all("variable") {
		v := l.declareVariable(b)
		if _, twice := l.variables[v.name]; !twice {
			l.variables[v.name] = v
		}
	}
	given := l.givenValues()
	values := map[string]cty.Value{}
	for _, name := range sortedKeys(l.variables) {
		values[name] = cty.DynamicVal
		v := l.variables[name]
		if value, ok := l.valueOf(v, given[name]); ok {
			if value, ok = l.toType(v, value, given[name]); ok {
				values[name] = value
			}
		}
	}
	l.scope.Variables["var"] = cty.ObjectVal(values)
}

func (l *loader) declareVariable(b *block) *variable {
	v := &variable{name: b.labels[0].text, rng: b.labels[0].rng, typ: cty.DynamicPseudoType, fallback: b.attrs["default"]}
	l.identifier(b.labels[0], "variable")
	if a := b.attrs["type"]; a != nil {
		typ, diags := typeexpr.TypeConstraint(a.Expr)
		switch {
		case !diags.HasErrors():
			v.typ = typ
		case isText(a.Expr):
			l.errorf("KP1105", a.Expr.Range(), "A type is written without quotes, such as type = string.")
		default:
			l.errorf("KP1105", a.Expr.Range(), "This is not a type. Types are string, number, bool, any, list(...), set(...), map(...), tuple([...]) and object({...}).")
		}
	}
	if d, ok := l.value(b, "sensitive"); ok {
		v.sensitive = d.yes
	}
	l.value(b, "description")
	return v
}

func isText(expr hclsyntax.Expression) bool {
	_, is := expr.(*hclsyntax.TemplateExpr)
	return is
}

// givenValue is a value from outside of the plan: the last of a file's
// attribute, or text.
type givenValue struct {
	from string // for messages
	attr *hclsyntax.Attribute
	text *string
	open bool // others can read it: the command line
}

func (g *givenValue) rng(v *variable) hcl.Range {
	if g != nil && g.attr != nil {
		return g.attr.Expr.Range()
	}
	if g == nil && v.fallback != nil {
		return v.fallback.Expr.Range()
	}
	return v.rng
}

// givenValues collects the values of all sources, weakest first, and reports
// those that belong to no variable.
func (l *loader) givenValues() map[string]*givenValue {
	given := map[string]*givenValue{}
	for name := range l.variables {
		if text, ok := l.opts.Environ(VarEnvPrefix + name); ok {
			given[name] = &givenValue{from: VarEnvPrefix + name, text: &text}
		}
	}
	for _, f := range l.valueFiles() {
		if f.body == nil {
			continue
		}
		for _, b := range f.body.Blocks {
			l.errorf("KP1201", b.TypeRange, "Files of variable values hold NAME = value and no blocks. Blocks go into a file that ends in %s.", PlanSuffix)
		}
		for _, name := range sortedKeys(f.body.Attributes) {
			a := f.body.Attributes[name]
			if l.variables[name] == nil {
				l.errorf("KP1104", a.NameRange, "The plan declares no variable %s.%s", quote(name), didYouMean(name, sortedKeys(l.variables)))
				continue
			}
			given[name] = &givenValue{from: f.name, attr: a}
		}
	}
	for _, name := range sortedKeys(l.opts.Vars) {
		if l.variables[name] == nil {
			l.nowhere("KP1104", "--var gives a value to %s, but the plan declares no such variable.%s", quote(name), didYouMean(name, sortedKeys(l.variables)))
			continue
		}
		text := l.opts.Vars[name]
		given[name] = &givenValue{from: "--var", text: &text, open: true}
	}
	return given
}

// valueFiles returns the files of values, weakest first: those of the
// directory by name, then those of --var-file as given.
func (l *loader) valueFiles() []*source {
	named := map[string]bool{}
	for _, name := range l.opts.VarFiles {
		named[name] = true
	}
	var files []*source
	for _, f := range l.sources.inOrder(true) {
		if !named[f.name] {
			files = append(files, f)
		}
	}
	for _, name := range l.opts.VarFiles {
		if f := l.sources.files[name]; f != nil {
			files = append(files, f)
		}
	}
	return files
}

// valueOf evaluates the strongest value of a variable.
func (l *loader) valueOf(v *variable, given *givenValue) (cty.Value, bool) {
	switch {
	case given != nil && given.text != nil:
		if given.open && v.sensitive {
			l.nowhere("KP1116", "The variable %s is sensitive, and --var shows its value to everybody who can list processes. Set %s%s in the environment.", quote(v.name), VarEnvPrefix, v.name)
			return cty.DynamicVal, false
		}
		return l.fromText(v, given)
	case given != nil:
		return l.fromFile(v, given)
	case v.fallback != nil:
		return l.fromDefault(v)
	}
	if v.sensitive {
		l.errorf("KP1102", v.rng, "The variable %s has no value. Set %s%s in the environment.", quote(v.name), VarEnvPrefix, v.name)
	} else {
		l.errorf("KP1102", v.rng, "The variable %s has no value. Give one with --var %s=VALUE, %s%s, a file that ends in %s, or a default.",
			quote(v.name), v.name, VarEnvPrefix, v.name, AutoSuffix)
	}
	return cty.DynamicVal, false
}

func (l *loader) fromDefault(v *variable) (cty.Value, bool) {
	how := evaluation{secret: v.sensitive}
	if len(v.fallback.Expr.Variables()) > 0 {
		l.errorf("KP1105", v.fallback.Expr.Range(), "A default cannot refer to other values. Put text in quotes; use a local value for what depends on others.")
		return cty.DynamicVal, false
	}
	if !l.checkCalls(v.fallback.Expr, how) {
		return cty.DynamicVal, false
	}
	value, ok := l.evalIn(v.fallback.Expr, l.scope, how)
	if ok && v.sensitive && !value.IsNull() && !value.ContainsMarked() {
		l.errorf("KP1115", v.fallback.Expr.Range(), "The default of a sensitive variable stands here for everybody to read. Leave it out and set %s%s, or use env() or file().", VarEnvPrefix, v.name)
		return cty.DynamicVal, false
	}
	return value, ok
}

func (l *loader) fromFile(v *variable, given *givenValue) (cty.Value, bool) {
	expr := given.attr.Expr
	if len(expr.Variables()) > 0 {
		l.errorf("KP1108", expr.Range(), "Files of variable values cannot refer to other values. Put text in quotes.")
		return cty.DynamicVal, false
	}
	how := evaluation{secret: v.sensitive}
	if !l.checkCalls(expr, how) {
		return cty.DynamicVal, false
	}
	value, ok := l.evalIn(expr, l.scope, how)
	if ok && v.sensitive && !value.ContainsMarked() {
		l.errorf("KP1116", expr.Range(), "The variable %s is sensitive, but its value stands in this file. Set %s%s in the environment, or use env() or file() here.", quote(v.name), VarEnvPrefix, v.name)
		return cty.DynamicVal, false
	}
	return value, ok
}

// fromText reads a value from the command line or the environment: as it
// stands for text, as an expression for lists and maps.
func (l *loader) fromText(v *variable, given *givenValue) (cty.Value, bool) {
	text := *given.text
	if v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType {
		return cty.StringVal(text), true
	}
	fail := func() (cty.Value, bool) {
		l.errorf("KP1103", v.rng, "The value of %s, from %s, cannot be read as %s. Write it as in a plan file, such as '[\"a\", \"b\"]' or '{ a = \"b\" }'.",
			quote(v.name), given.from, typeexpr.TypeString(v.typ))
		return cty.DynamicVal, false
	}
	if _, deep := tooDeep([]byte(text), given.from); deep || len(text) > maxFileSize {
		return fail()
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), given.from, hcl.InitialPos)
	if diags.HasErrors() || len(expr.Variables()) > 0 || len(calls(expr)) > 0 {
		return fail()
	}
	value, diags := expr.Value(nil)
	if diags.HasErrors() {
		return fail()
	}
	return value, true
}

// toType converts a value to the declared type and marks it.
func (l *loader) toType(v *variable, value cty.Value, given *givenValue) (cty.Value, bool) {
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		from := ""
		if given != nil {
			from = fmt.Sprintf(", from %s,", given.from)
		}
		l.errorf("KP1103", given.rng(v), "The value of %s%s is not of type %s: %s.", quote(v.name), from, typeexpr.TypeString(v.typ), err)
		return cty.DynamicVal, false
	}
	if v.sensitive {
		converted = converted.Mark(sensitive)
		l.sources.addSecrets(converted)
	}
	return converted, true
}
