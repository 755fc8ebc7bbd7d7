package plan

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// mark is the type of cty marks of this package.
type mark string

// sensitive marks values that came through env(), file() or a sensitive
// variable.
const sensitive mark = "sensitive"

// notShown stands for what HCL or a function would say about a secret.
const notShown = "The reason is not shown, since it may quote a sensitive value."

// evaluation says how an expression is looked at.
type evaluation struct {
	secret bool      // nothing of the expression may be repeated in a message
	side   cty.Value // the value of side, or cty.NilVal where there is none
}

// eval evaluates an expression. It returns false when there is no value, which
// has been reported, here or where the cause is.
func (l *loader) eval(expr hclsyntax.Expression, how evaluation) (cty.Value, bool) {
	if !l.checkReferences(expr, how) {
		return cty.DynamicVal, false
	}
	ctx := l.scope
	if how.side != cty.NilVal {
		ctx = l.scope.NewChild()
		ctx.Variables = map[string]cty.Value{"side": how.side}
	}
	v, ok := l.evalIn(expr, ctx, how)
	if !ok || !v.IsWhollyKnown() {
		return cty.DynamicVal, false
	}
	return v, true
}

// evalIn evaluates in a given scope, without looking at references.
func (l *loader) evalIn(expr hclsyntax.Expression, ctx *hcl.EvalContext, how evaluation) (v cty.Value, ok bool) {
	defer func() {
		// HCL and cty panic on contradictions within themselves. A plan must
		// not bring kplan down.
		if r := recover(); r != nil {
			l.errorf("KP1111", expr.Range(), "The expression could not be evaluated. This is a bug in kplan: please report it with the expression.")
			v, ok = cty.DynamicVal, false
		}
	}()
	v, diags := expr.Value(ctx)
	for _, d := range diags {
		l.foreign(d, expr, ctx, how)
	}
	return v, !diags.HasErrors()
}

// foreign reports what HCL or a function says. Such texts may quote values, so
// they are kept back where a sensitive value plays a part.
func (l *loader) foreign(d *hcl.Diagnostic, expr hclsyntax.Expression, ctx *hcl.EvalContext, how evaluation) {
	rng := expr.Range()
	if d.Subject != nil {
		rng = *d.Subject
	}
	code, detail := Code("KP1111"), strings.TrimRight(d.Summary, ".")+". "+d.Detail
	if extra, is := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); is {
		code = "KP1110"
		var coded *codedError
		if errors.As(extra.FunctionCallError(), &coded) && (coded.safe || !how.secret && !l.touchesSecrets(expr, ctx)) {
			l.errorf(coded.code, rng, "%s", coded.text)
			return
		}
	}
	if how.secret || l.touchesSecrets(expr, ctx) {
		detail = "The expression has no value. " + notShown
	}
	l.errorf(code, rng, "%s", detail)
}

// touchesSecrets reports whether a sensitive value may be part of the
// expression.
func (l *loader) touchesSecrets(expr hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	for _, call := range calls(expr) {
		if call.Name == "env" || call.Name == "file" {
			return true
		}
	}
	for _, t := range expr.Variables() {
		// root.NAME only: the rest of the reference may be what fails.
		v, diags := t[:min(len(t), 2)].TraverseAbs(ctx)
		if diags.HasErrors() || v.ContainsMarked() {
			return true
		}
	}
	return false
}

func calls(expr hclsyntax.Expression) []*hclsyntax.FunctionCallExpr {
	var found []*hclsyntax.FunctionCallExpr
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, is := n.(*hclsyntax.FunctionCallExpr); is {
			found = append(found, call)
		}
		return nil
	})
	return found
}

// checkReferences reports names in an expression that mean nothing. HCL would
// report them as well, but one at a time and without our suggestions.
func (l *loader) checkReferences(expr hclsyntax.Expression, how evaluation) bool {
	ok := l.checkCalls(expr, how)
	for _, t := range expr.Variables() {
		name, static := memberName(t)
		switch root := t.RootName(); {
		case root == "var" && static:
			if _, known := l.variables[name]; !known {
				l.errorf("KP1101", t.SourceRange(), "%s%s", noSuch("variable", name, how),
					didYouMeanRef("var", name, sortedKeys(l.variables)))
				ok = false
			}
		case root == "local" && static:
			if _, known := l.locals[name]; !known {
				l.errorf("KP1106", t.SourceRange(), "%s%s", noSuch("local value", name, how),
					didYouMeanRef("local", name, sortedKeys(l.locals)))
				ok = false
			}
		case root == "side" && how.side != cty.NilVal:
			if side := sideNames(); !static || !contains(side, name) {
				l.errorf("KP1108", t.SourceRange(), "side has %s.%s", strings.Join(side, ", "), didYouMean(name, side))
				ok = false
			}
		default:
			l.errorf("KP1108", t.SourceRange(), "%s", l.strayReference(root, static, how))
			ok = false
		}
	}
	return ok
}

func (l *loader) checkCalls(expr hclsyntax.Expression, how evaluation) bool {
	ok := true
	for _, call := range calls(expr) {
		if _, known := l.funcs[call.Name]; !known {
			l.errorf("KP1109", call.NameRange, "%s%s", noSuch("function", call.Name, how), didYouMean(call.Name, sortedKeys(l.funcs)))
			ok = false
		}
	}
	return ok
}

// strayReference explains a reference that cannot mean anything.
func (l *loader) strayReference(root string, static bool, how evaluation) string {
	switch {
	case root == "var" || root == "local":
		return fmt.Sprintf("Write %s.NAME, with the name in full: kplan must see which value is meant.", root)
	case root == "side":
		return "side is known in the texts of a manual switch only, where it is first the source, then the target."
	case root == "cluster":
		return "Clusters can be named in source and target only, as cluster.NAME. Use local.NAME for values that are needed in several places."
	case how.secret:
		return "A bare word refers to nothing. Write env(\"NAME\") or file(\"path\")."
	case !static && l.variables[root] != nil:
		return fmt.Sprintf("%s refers to nothing. Did you mean var.%s?", quote(root), root)
	case !static && l.locals[root] != nil:
		return fmt.Sprintf("%s refers to nothing. Did you mean local.%s?", quote(root), root)
	case !static:
		return fmt.Sprintf("%s refers to nothing. Put it in quotes if it is text; values are written var.NAME or local.NAME.", quote(root))
	}
	return fmt.Sprintf("%s refers to nothing. Values are written var.NAME or local.NAME.%s", quote(root), didYouMean(root, []string{"var", "local"}))
}

func noSuch(what, name string, how evaluation) string {
	if how.secret {
		return "There is no such " + what + "."
	}
	return fmt.Sprintf("There is no %s %s.", what, quote(name))
}

func didYouMeanRef(root, name string, candidates []string) string {
	if s := nearest(name, candidates); s != "" {
		return fmt.Sprintf(" Did you mean %s.%s?", root, s)
	}
	if root == "var" {
		return " Declare it with a variable block."
	}
	return " Define it in a locals block."
}

// memberName returns NAME of root.NAME or root["NAME"].
func memberName(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func sideNames() []string { return []string{"bootstrap", "cluster", "name"} }

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
