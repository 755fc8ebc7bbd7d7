package migration

import (
	"strings"
	"testing"

	"kplan/plan/graph"
)

// What a run is to stop at is a phase, a gate in any notation, or a service that
// moves alone; anything else is refused with what there is.
func TestParts(t *testing.T) {
	g := drawn(t, planned(t, writer, reader, grouped, gated))
	together := drawn(t, planned(t, writer, strings.Replace(writer, "shop", "web", 1)))
	stop, works := graph.ServiceAddress("shop", "stop"), graph.GroupAddress("g", "works")
	create, cutover, timed := graph.TopicAddress("orders", ""), graph.GateAddress("cutover"), graph.GateAddress("timed")
	until := func(name string) func() (graph.Part, error) {
		return func() (graph.Part, error) { return Scope{Until: name}.Of(g) }
	}
	for name, c := range map[string]struct {
		of      func() (graph.Part, error)
		has     []string
		without []string
		err     string
	}{
		"up to a phase":      {until("prepare"), []string{timed, create}, []string{cutover, stop}, ""},
		"up to the last one": {until("switch"), []string{timed, create, cutover, stop, works}, nil, ""},
		"up to a gate":       {until("cutover"), []string{timed, create, cutover}, []string{stop, works}, ""},
		"by its address":     {until("gate.timed"), []string{timed}, []string{create, cutover, stop}, ""},
		"nothing there is":   {until("complete"), nil, nil, "one of prepare, switch, " + timed + ", " + cutover},
		"a service":          {func() (graph.Part, error) { return Scope{Service: "shop"}.Of(g) }, []string{create, cutover, stop}, []string{works}, ""},
		"no service":         {func() (graph.Part, error) { return Scope{Service: "nobody"}.Of(g) }, nil, nil, "one of shop, stock"},
		"everything":         {func() (graph.Part, error) { return Scope{}.Of(g) }, []string{create, cutover, stop, works}, nil, ""},
		"both":               {func() (graph.Part, error) { return Scope{Until: "prepare", Service: "shop"}.Of(g) }, nil, nil, "give one of them"},
		"one of two":         {func() (graph.Part, error) { return Scope{Service: "web"}.Of(together) }, nil, nil, "it moves together with shop"},
	} {
		part, err := c.of()
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, at := range c.has {
			if !part.Has(at) || g.Step(at) == nil {
				t.Errorf("%s: without %s", name, at)
			}
		}
		for _, at := range c.without {
			if part.Has(at) || g.Step(at) == nil {
				t.Errorf("%s: with %s", name, at)
			}
		}
	}
}
