package plan

import (
	"errors"
	"time"

	"github.com/hashicorp/hcl/v2"
)

const defaultGateTimeout = time.Hour

func (l *loader) buildGate(b *block, m *Migration) *Gate {
	g := &Gate{Name: b.labels[0].text, Timeout: defaultGateTimeout, Range: b.rng}
	l.plainName(b.labels[0], "gate")
	if d, ok := l.value(b, "before"); ok {
		g.Before = d.text
		l.gateBefore(d, m)
	}
	conditions := len(b.all("approval"))
	condition := func(name string) (decoded, bool) {
		d, ok := l.value(b, name)
		if ok || b.attrs[name] != nil && !d.null {
			conditions++ // one that is wrong has been reported, and is meant
		}
		return d, ok
	}
	if d, ok := condition("max_lag"); ok {
		g.MaxLag = &d.number
		if m.Mirror != nil && (g.Before == "prepare" || g.Before == phaseMirror) {
			l.errorf("KP1809", d.rng, "max_lag is what the mirror still has to copy, and it begins behind the gate %s, which waits for it: neither would ever go on. Put the gate before \"switch\" or a service, or leave max_lag out.", quote(g.Name))
		}
	}
	lag := conditions > len(b.all("approval"))
	if d, ok := condition("soak"); ok {
		g.Soak = d.duration
		if g.Before == "prepare" {
			l.errorf("KP1805", d.rng, "Nothing comes before the phase prepare, so there is nothing from which soak could count. Leave it out.")
		}
	}
	if d, ok := condition("verified"); ok {
		g.Verified = d.duration
	}
	if d, ok := condition("window"); ok {
		g.Window = l.window(d)
	}
	if conditions == 0 {
		l.errorf("KP1801", b.labels[0].rng, "The gate %s has no condition, so it would always be open. Give it max_lag, soak, verified, window or an approval.", quote(g.Name))
	}
	l.gateTimes(b, g, lag)
	for _, inner := range b.all("approval") {
		g.Approvals = append(g.Approvals, l.buildApproval(inner))
	}
	return g
}

// gateBefore checks that there is something that waits for the gate. A phase
// wins over a service of its name, so that the gate guards more, not less.
func (l *loader) gateBefore(d decoded, m *Migration) {
	var names, built []string
	for _, p := range phaseWords() {
		if p.Value == d.text && p.NotBuilt != "" {
			l.errorf("KP1204", d.rng, "kplan knows before = %s, but this version cannot do it yet. %s", quote(d.text), p.NotBuilt)
			return
		}
		if p.Value == d.text {
			if m.Service(d.text) != nil {
				l.warnf("KP1804", d.rng, "%s is a phase and a service. The gate stands before the phase; rename the service if that is not meant.", quote(d.text))
			}
			if d.text == phaseMirror && m.Mirror == nil {
				l.errorf("KP1803", d.rng, "The phase \"mirror\" has nothing to do, since this plan has no mirror block. Add one, or let the gate stand before \"switch\".")
			}
			return
		}
		names = append(names, p.Value)
		if p.NotBuilt == "" && (p.Value != phaseMirror || m.Mirror != nil) {
			built = append(built, p.Value)
		}
	}
	if m.Service(d.text) != nil {
		return
	}
	for _, s := range m.Services {
		names = append(names, s.Name)
	}
	l.errorf("KP1803", d.rng, "%s is neither a phase nor a service of this plan.%s A gate stands before %s, or before a service, by its name.", quote(d.text), didYouMean(d.text, names), oneOf(built))
}

func (l *loader) window(d decoded) *Window {
	w, err := ParseWindow(d.text)
	var wrong *WindowError
	if errors.As(err, &wrong) {
		code := Code("KP1806")
		if wrong.Zone {
			code = "KP1807"
		}
		l.errorf(code, d.rng, "%s.", printable(wrong.Error()))
		return nil
	}
	return w
}

// gateTimes reads hold and timeout; lag says that max_lag is meant.
func (l *loader) gateTimes(b *block, g *Gate, lag bool) {
	hold, held := l.value(b, "hold")
	timeout, stated := l.value(b, "timeout")
	if stated {
		g.Timeout = timeout.duration
	}
	if !held {
		return
	}
	g.Hold = hold.duration
	if !lag {
		l.errorf("KP1802", hold.rng, "hold says how long max_lag must have held, and the gate %s has none. Add max_lag, or write soak to wait after the step before.", quote(g.Name))
		return
	}
	if b.attrs["timeout"] != nil && !stated {
		return // wrong, and reported
	}
	if g.Hold >= g.Timeout {
		rng, what := hold.rng, "after 1h (the default of timeout)"
		if stated {
			rng, what = timeout.rng, "after "+durationText(g.Timeout)
		}
		l.gaveUp(rng, g, what)
	}
}

func (l *loader) gaveUp(rng hcl.Range, g *Gate, when string) {
	l.errorf("KP1808", rng, "The gate %s gives up %s, before max_lag can have held for %s. Give a longer timeout or a shorter hold.", quote(g.Name), when, durationText(g.Hold))
}

func (l *loader) buildApproval(b *block) Approval {
	a := Approval{Name: b.labels[0].text, Range: b.labels[0].rng}
	l.plainName(b.labels[0], "approval")
	if d, ok := l.value(b, "expires"); ok {
		a.Expires = d.duration
	}
	from, _ := l.names(b, "from")
	for _, who := range from {
		a.From = append(a.From, who.Name)
	}
	if d, ok := l.value(b, "others"); ok {
		a.Others = d.yes
	}
	return a
}
