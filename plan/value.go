package plan

import (
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decoded is the typed value of one argument; its Kind says which field
// counts.
type decoded struct {
	rng      hcl.Range // of the expression
	null     bool      // absent in all but writing
	text     string
	secret   Secret
	marked   bool // secret came through env() or file()
	number   int64
	fraction float64 // of a KindNumber
	yes      bool
	duration time.Duration
	list     []NamedRef
	patterns []Pattern
	config   map[string]string
	keys     []NamedRef // of config
	secrets  map[string]Secret
}

// value evaluates an argument and converts it to the kind that the
// specification names. It returns false when the argument is absent, null or
// wrong; only the last is reported. A list of which an element is wrong holds
// the others, so that they can be looked at as well.
func (l *loader) value(b *block, name string) (decoded, bool) {
	spec, a := b.spec.Attr(name), b.attrs[name]
	if spec == nil || a == nil {
		return decoded{}, false
	}
	d := decoded{rng: a.Expr.Range()}
	v, ok := l.eval(a.Expr, evaluation{secret: spec.Sensitive})
	if !ok {
		return d, false
	}
	if v.IsNull() {
		d.null = true
		if spec.Required {
			l.errorf("KP1205", d.rng, "%s is null, as if it were not there, but %s needs it. %s", name, b.spec.Type, spec.Doc)
		}
		return d, false
	}
	if spec.Sensitive && spec.Kind == KindHeaders {
		ok = l.decodeHeaders(spec, v, &d)
		return d, ok
	}
	if spec.Sensitive {
		ok = l.decodeSecret(spec, v, &d)
		return d, ok
	}
	if v.ContainsMarked() {
		l.errorf("KP1114", d.rng, "%s cannot take a sensitive value, since it is shown in diffs and logs. What comes through env(), file() or a sensitive variable is sensitive; if it is no secret, say so with nonsensitive(...).", name)
		return d, false
	}
	ok = l.decode(spec, a.Expr, v, &d)
	return d, ok
}

func (l *loader) decode(spec *AttrSpec, expr hclsyntax.Expression, v cty.Value, d *decoded) bool {
	switch spec.Kind {
	case KindInt:
		return l.decodeInt(spec, v, d)
	case KindNumber:
		return l.decodeNumber(spec, v, d)
	case KindBool:
		c, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return l.wrongType(spec, d.rng, "true or false")
		}
		d.yes = c.True()
		return true
	case KindStrings, KindPatterns:
		return l.decodeList(spec, expr, v, d)
	case KindWords:
		return l.decodeList(spec, expr, v, d) && l.decodeWords(spec, d)
	case KindConfig:
		return l.decodeConfig(spec, expr, v, d)
	}
	c, err := convert.Convert(v, cty.String)
	if err != nil || spec.Kind == KindDuration && v.Type() == cty.Number {
		return l.wrongType(spec, d.rng, example(spec))
	}
	d.text = c.AsString()
	if d.text == "" && !spec.MayBeNil {
		l.errorf("KP1214", d.rng, "%s is empty. %s", spec.Name, spec.Doc)
		return false
	}
	switch spec.Kind {
	case KindDuration:
		return l.decodeDuration(spec, d)
	case KindEnum:
		return l.decodeEnum(spec, d)
	}
	return true
}

func example(spec *AttrSpec) string {
	if spec.Kind == KindDuration {
		return "text with a unit, such as \"90s\" or \"2h\" (duration() is for Kafka's configs)"
	}
	return "text"
}

func (l *loader) wrongType(spec *AttrSpec, rng hcl.Range, want string) bool {
	l.errorf("KP1209", rng, "%s takes %s.", spec.Name, want)
	return false
}

// decodeSecret never repeats anything of the value.
func (l *loader) decodeSecret(spec *AttrSpec, v cty.Value, d *decoded) bool {
	clear, marks := v.UnmarkDeep()
	l.sources.addSecrets(clear)
	_, d.marked = marks[sensitive]
	if !d.marked && !spec.Clear {
		l.errorf("KP1115", d.rng, "%s must come through env(\"NAME\") or file(\"path\"), or a variable that is declared with sensitive = true and set by %sNAME. "+
			"A secret that stands in a file or on a command line is known to everybody who reads it; replace it.", spec.Name, VarEnvPrefix)
		return false
	}
	c, err := convert.Convert(clear, cty.String)
	if err != nil {
		return l.wrongType(spec, d.rng, "text")
	}
	if c.AsString() == "" {
		l.errorf("KP1214", d.rng, "%s is empty. %s", spec.Name, spec.Doc)
		return false
	}
	if strings.HasSuffix(c.AsString(), "\n") {
		l.warnf("KP1117", d.rng, "%s ends with a line break, which then is a part of it. If that is not meant, write chomp(file(\"path\")).", spec.Name)
	}
	d.secret = NewSecret(c.AsString())
	return true
}

func (l *loader) decodeInt(spec *AttrSpec, v cty.Value, d *decoded) bool {
	c, err := convert.Convert(v, cty.Number)
	if err != nil {
		return l.wrongType(spec, d.rng, "a whole number")
	}
	n, accuracy := c.AsBigFloat().Int64()
	if accuracy != big.Exact {
		return l.wrongType(spec, d.rng, "a whole number")
	}
	least := int64(1)
	if m, err := strconv.ParseInt(spec.Min, 10, 64); err == nil {
		least = m
	}
	// Kafka counts replicas in 16 bits.
	const most = 1<<15 - 1
	switch {
	case spec.NoMax && n < least:
		l.errorf("KP1211", d.rng, "%s is %d, and must be at least %d.", spec.Name, n, least)
		return false
	case !spec.NoMax && (n < least || n > most):
		l.errorf("KP1211", d.rng, "%s is %d, and must be from %d to %d.", spec.Name, n, least, most)
		return false
	}
	d.number = n
	return true
}

// decodeNumber reads a factor: from the least value to ten.
func (l *loader) decodeNumber(spec *AttrSpec, v cty.Value, d *decoded) bool {
	c, err := convert.Convert(v, cty.Number)
	if err != nil {
		return l.wrongType(spec, d.rng, "a number")
	}
	least, most := 1.0, 10.0
	if m, err := strconv.ParseFloat(spec.Min, 64); err == nil {
		least = m
	}
	n, _ := c.AsBigFloat().Float64() // rounding is of no interest here
	if n < least || n > most {
		l.errorf("KP1211", d.rng, "%s is %v, and must be from %v to %v.", spec.Name, n, least, most)
		return false
	}
	d.fraction = n
	return true
}

func (l *loader) decodeDuration(spec *AttrSpec, d *decoded) bool {
	value, err := ParseDuration(d.text)
	if err != nil {
		l.errorf("KP1212", d.rng, "%s: %s.", spec.Name, err)
		return false
	}
	if least, err := ParseDuration(spec.Min); err == nil && value < least {
		l.errorf("KP1601", d.rng, "%s is %s, and must be at least %s.", spec.Name, quote(d.text), spec.Min)
		return false
	}
	d.duration = value
	return true
}

func (l *loader) decodeEnum(spec *AttrSpec, d *decoded) bool {
	var all, works []string
	for _, v := range spec.Values {
		if v.Never != "" && strings.EqualFold(v.Value, d.text) {
			l.errorf("KP1217", d.rng, "kplan has no %s %s, on purpose. %s", spec.Name, quote(d.text), v.Never)
			return false
		}
		if v.Never != "" {
			continue // not offered
		}
		if v.Value == d.text && v.NotBuilt != "" {
			l.errorf("KP1204", d.rng, "kplan knows %s = %s, but this version cannot do it yet. %s", spec.Name, quote(d.text), v.NotBuilt)
			return false
		}
		if v.Value == d.text {
			return true
		}
		all = append(all, v.Value)
		if v.NotBuilt == "" {
			works = append(works, v.Value)
		}
	}
	l.errorf("KP1210", d.rng, "%s cannot be %s.%s It can be %s.", spec.Name, quote(d.text), didYouMean(d.text, all), oneOf(works))
	return false
}

// decodeWords checks a list whose elements are words of a few.
func (l *loader) decodeWords(spec *AttrSpec, d *decoded) bool {
	ok := true
	for _, word := range d.list {
		element := decoded{rng: word.Range, text: word.Name}
		ok = l.decodeEnum(spec, &element) && ok
	}
	return ok
}

// decodeList reads lists of strings and patterns. Elements are placed where
// they stand when the list is written out.
func (l *loader) decodeList(spec *AttrSpec, expr hclsyntax.Expression, v cty.Value, d *decoded) bool {
	t := v.Type()
	if !t.IsTupleType() && !t.IsListType() && !t.IsSetType() {
		if t == cty.String {
			l.errorf("KP1209", d.rng, "%s takes a list. Put the value in brackets: %s = [...]", spec.Name, spec.Name)
			return false
		}
		return l.wrongType(spec, d.rng, "a list of text, such as [\"a\", \"b\"]")
	}
	var places []hclsyntax.Expression
	if tuple, is := expr.(*hclsyntax.TupleConsExpr); is && len(tuple.Exprs) == v.LengthInt() {
		places = tuple.Exprs
	}
	ok := true
	for i, it := 0, v.ElementIterator(); it.Next(); i++ {
		_, element := it.Element()
		rng := d.rng
		if places != nil {
			rng = places[i].Range()
		}
		c, err := convert.Convert(element, cty.String)
		switch {
		case err != nil || c.IsNull():
			ok = l.wrongType(spec, rng, "text in each element")
		case c.AsString() == "" && !spec.MayBlank:
			l.errorf("KP1214", rng, "%s has an empty element. Remove it or give it a value.", spec.Name)
			ok = false
		case spec.Kind == KindPatterns:
			p, err := NewPattern(c.AsString(), rng)
			if err != nil {
				l.errorf("KP1401", rng, "%s.", printable(err.Error()))
				ok = false
				continue
			}
			d.patterns = append(d.patterns, p)
		default:
			d.list = append(d.list, NamedRef{Name: c.AsString(), Range: rng})
		}
	}
	if ok && v.LengthInt() == 0 && !spec.MayBeNil {
		l.errorf("KP1214", d.rng, "%s is empty. %s", spec.Name, spec.Doc)
		return false
	}
	return ok
}

func (l *loader) decodeConfig(spec *AttrSpec, expr hclsyntax.Expression, v cty.Value, d *decoded) bool {
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return l.wrongType(spec, d.rng, "a map of Kafka's configs, such as { \"retention.ms\" = duration(\"14d\") }")
	}
	places := map[string]hcl.Range{}
	if object, is := expr.(*hclsyntax.ObjectConsExpr); is {
		for _, item := range object.Items {
			if k, diags := item.KeyExpr.Value(nil); !diags.HasErrors() && k.Type() == cty.String && k.IsKnown() && !k.IsNull() && !k.IsMarked() {
				places[k.AsString()] = hcl.RangeBetween(item.KeyExpr.Range(), item.ValueExpr.Range())
			}
		}
	}
	d.config = map[string]string{}
	ok := true
	for it := v.ElementIterator(); it.Next(); {
		k, element := it.Element()
		key, rng := k.AsString(), d.rng
		if r, known := places[key]; known {
			rng = r
		}
		d.keys = append(d.keys, NamedRef{Name: key, Range: rng})
		c, err := convert.Convert(element, cty.String)
		if err != nil || c.IsNull() {
			l.errorf("KP1209", rng, "The config %s takes text, a number, true or false.", quote(key))
			ok = false
			continue
		}
		d.config[key] = c.AsString()
	}
	return ok
}
