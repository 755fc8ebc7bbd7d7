package plan

import (
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

func (l *loader) buildService(b *block, m *Migration) *Service {
	s := &Service{Name: b.labels[0].text, Range: b.rng}
	l.plainName(b.labels[0], "service")
	var reads, writes, joins bool
	s.Consumes, reads = l.names(b, "consumes")
	s.Produces, writes = l.names(b, "produces")
	s.Groups, joins = l.names(b, "groups")
	s.Principals, _ = l.names(b, "principals")
	for _, topic := range append(append([]NamedRef(nil), s.Consumes...), s.Produces...) {
		l.topicName(topic)
	}
	for _, p := range s.Principals {
		l.principal(p)
	}
	if d, ok := l.value(b, "listener"); ok {
		s.Listener = d.text
		l.listenerExists(d, m)
	}
	// What could not be read has been reported, and nothing follows from it.
	if reads && writes && joins {
		l.validateService(s, b)
	}
	if inner := b.only("switch"); inner != nil {
		s.Switch.Range = inner.rng
		if inner.spec.Variant == "manual" {
			s.Switch.Manual = l.buildManual(inner, s, m)
		} else {
			s.Switch.Exec = l.buildExec(inner)
		}
	}
	return s
}

// names reads a list of names, each once. It returns false when there is a
// list that could not be read.
func (l *loader) names(b *block, attr string) ([]NamedRef, bool) {
	d, ok := l.value(b, attr)
	seen := map[string]bool{}
	for _, n := range d.list {
		if seen[n.Name] {
			l.errorf("KP1507", n.Range, "%s lists %s twice. Remove one.", attr, quote(n.Name))
		}
		seen[n.Name] = true
	}
	return d.list, ok || d.null || b.attrs[attr] == nil
}

// listenerExists checks that both clusters have the listener that the
// service's clients use.
func (l *loader) listenerExists(d decoded, m *Migration) {
	for _, c := range []*Cluster{m.Source, m.Target} {
		if c == nil || c.listener(d.text) != nil {
			continue
		}
		var names []string
		for _, lis := range c.Listeners {
			names = append(names, lis.Name)
		}
		l.errorf("KP1504", d.rng, "The cluster %s has no listener %s, so there would be no address to give to the service there.%s", quote(c.Name), quote(d.text), didYouMean(d.text, names))
	}
}

// listener returns the listener of that name, the cluster's own for "", or
// nil.
func (c *Cluster) listener(name string) *Listener {
	if name == "" {
		return &c.Listener
	}
	for _, lis := range c.Listeners {
		if lis.Name == name {
			return lis
		}
	}
	return nil
}

func (l *loader) buildExec(b *block) *ExecSwitch {
	e := &ExecSwitch{Timeout: defaultExecTimeout}
	e.Stop = l.argv(b, "stop")
	e.Start = l.argv(b, "start")
	e.Check = l.argv(b, "check")
	if d, ok := l.value(b, "timeout"); ok {
		e.Timeout = d.duration
	}
	return e
}

// argv reads a command. A first word with a slash is a path of the plan;
// others are looked up in PATH when they run, perhaps on another machine.
func (l *loader) argv(b *block, name string) []string {
	d, ok := l.value(b, name)
	if !ok {
		return nil
	}
	var words []string
	for _, w := range d.list {
		words = append(words, w.Name)
	}
	program := d.list[0]
	if !strings.Contains(program.Name, "/") {
		return words
	}
	info, err := os.Stat(inDir(l.opts.Dir, program.Name))
	switch {
	case err != nil:
		l.errorf("KP1505", program.Range, "There is no program %s: %s. A first word with a slash is a path relative to the plan's directory.", quote(program.Name), cause(err))
	case info.IsDir():
		l.errorf("KP1506", program.Range, "%s is a directory. Name the program.", quote(program.Name))
	case info.Mode().Perm()&0o111 == 0:
		l.errorf("KP1506", program.Range, "%s is not executable. Run: chmod +x %s", quote(program.Name), printable(program.Name))
	}
	return words
}

func (l *loader) buildManual(b *block, s *Service, m *Migration) *ManualSwitch {
	sw := &ManualSwitch{Timeout: defaultManualTimeout}
	sw.Stop = l.instruction(b, "stop", s, m)
	sw.Start = l.instruction(b, "start", s, m)
	if d, ok := l.value(b, "timeout"); ok {
		sw.Timeout = d.duration
	}
	return sw
}

// instruction evaluates a text once per side.
func (l *loader) instruction(b *block, name string, s *Service, m *Migration) Instruction {
	a := b.attrs[name]
	if a == nil {
		return Instruction{}
	}
	before := len(l.diags)
	source, ok := l.textFor(b, name, sideValue("source", m.Source, s.Listener))
	if !ok && len(l.diags) > before {
		// The same would be wrong a second time.
		return Instruction{}
	}
	target, _ := l.textFor(b, name, sideValue("target", m.Target, s.Listener))
	return Instruction{Source: source, Target: target}
}

func (l *loader) textFor(b *block, name string, side cty.Value) (string, bool) {
	spec, expr := b.spec.Attr(name), b.attrs[name].Expr
	v, ok := l.eval(expr, evaluation{side: side})
	if !ok {
		return "", false
	}
	if v.ContainsMarked() {
		l.errorf("KP1114", expr.Range(), "%s is shown to people, so it cannot hold a sensitive value. If it is no secret, say so with nonsensitive(...).", name)
		return "", false
	}
	return l.text(spec, expr.Range(), v)
}

func (l *loader) text(spec *AttrSpec, rng hcl.Range, v cty.Value) (string, bool) {
	c, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", l.wrongType(spec, rng, "text")
	}
	if c.IsNull() || strings.TrimSpace(c.AsString()) == "" {
		l.errorf("KP1214", rng, "%s is empty. %s", spec.Name, spec.Doc)
		return "", false
	}
	return c.AsString(), true
}

// sideValue is what side means in a text. It is unknown where the cluster or
// its listener is, which has been reported.
func sideValue(name string, c *Cluster, listener string) cty.Value {
	unknown := cty.ObjectVal(map[string]cty.Value{
		"name": cty.StringVal(name), "cluster": cty.UnknownVal(cty.String), "bootstrap": cty.UnknownVal(cty.String),
	})
	if c == nil || c.listener(listener) == nil {
		return unknown
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name":      cty.StringVal(name),
		"cluster":   cty.StringVal(c.Name),
		"bootstrap": cty.StringVal(strings.Join(c.listener(listener).Bootstrap, ",")),
	})
}
