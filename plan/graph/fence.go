package graph

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// fence puts a fence between the stops of a topic's writers and its boundary
// (R8): behind it nobody of them can write, whatever starts again.
func (b *builder) fence(t string, wave int) {
	if b.m.Scheme.Fence != "acl" || !b.movingTopic[t] || len(b.writers[t]) == 0 {
		return
	}
	principals := set{}
	for w := range b.writers[t] {
		for _, p := range b.services[w].Principals {
			principals[p.Name] = true
		}
	}
	if len(principals) == 0 {
		return
	}
	address := b.add(&Step{
		Address: fenceAddress(t), Kind: Fence, Phase: Switch, Topic: t,
		Owners: sorted(b.writers[t]), Principals: sorted(principals), Wave: wave,
	})
	for w := range b.writers[t] {
		b.need(address, serviceAddress(w, "stop"))
	}
	b.need(boundaryAddress(t), address)
}

// sharedPrincipals refuses principals of moving writers that a service of
// another wave, or one that stays, uses as well (R8).
func (b *builder) sharedPrincipals() hcl.Diagnostics {
	if b.m.Scheme.Fence != "acl" {
		return nil
	}
	var diags hcl.Diagnostics
	for _, name := range b.movingServices() {
		if len(b.services[name].Produces) == 0 {
			continue
		}
		for _, p := range b.services[name].Principals {
			var others []string
			for _, other := range b.order {
				if b.waveOf[other] == b.waveOf[name] {
					continue
				}
				for _, q := range b.services[other].Principals {
					if q.Name == p.Name {
						others = append(others, other)
					}
				}
			}
			if len(others) > 0 {
				diags = append(diags, problem("KP2010", hcl.DiagError, at(p.Range, b.services[name].Range), fmt.Sprintf(
					"The fence would deny %s to write when %q has stopped, and %s of another wave %s it as well. "+
						"Give each a principal of its own on the source, or write fence = \"none\".",
					p.Name, name, list(others), plural(others, "uses", "use"))))
			}
		}
	}
	return diags
}

func plural(of []string, one, more string) string {
	if len(of) == 1 {
		return one
	}
	return more
}
