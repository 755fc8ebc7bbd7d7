package graph

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// wave groups the moving services into waves and numbers these in the order
// of the data: who writes moves no later than who reads.
//
// Services that share the writing of a topic or a group have to move together
// (R1). Two such bundles can also be entangled without being a cycle of steps
// (one has members before and behind the other); they then count as one wave,
// and a warning says that its pause is long.
func (b *builder) wave() hcl.Diagnostics {
	services := b.movingServices()
	bundles := b.bundles(services)
	bundleOf := map[string]int{}
	for i, members := range bundles {
		for _, s := range members {
			bundleOf[s] = i
		}
	}
	next := make([]map[int]bool, len(bundles))
	for i := range next {
		next[i] = map[int]bool{}
	}
	for _, reader := range services {
		for _, t := range b.reads(reader) {
			for w := range b.writers[t] {
				if from, ok := bundleOf[w]; ok && from != bundleOf[reader] {
					next[from][bundleOf[reader]] = true
				}
			}
		}
	}

	var diags hcl.Diagnostics
	b.waveOf = map[string]int{}
	for _, part := range sequence(len(bundles), next) {
		var members []string
		for _, i := range part {
			members = append(members, bundles[i]...)
		}
		sort.Strings(members)
		b.waves = append(b.waves, Wave{Services: members})
		for _, s := range members {
			b.waveOf[s] = len(b.waves)
		}
		if len(part) > 1 {
			diags = append(diags, problem("KP2007", hcl.DiagWarning, b.services[members[0]].Range, fmt.Sprintf(
				"The services %s write into each other's topics in a way that lets none of them finish its move before the others: "+
					"whoever stops first stays stopped while the others drain. Split what they share, or plan for the pause.",
				list(members))))
		}
	}
	return diags
}

// bundles returns the services that share the writing of a topic or a group,
// each bundle sorted, in the order in which their first member is declared.
func (b *builder) bundles(services []string) [][]string {
	parent := map[string]string{}
	var find func(string) string
	find = func(s string) string {
		if parent[s] == "" || parent[s] == s {
			return s
		}
		parent[s] = find(parent[s])
		return parent[s]
	}
	for _, shared := range []map[string]set{b.writers, b.owners} {
		for _, of := range sorted(shared) {
			var first string
			for _, s := range sorted(shared[of]) {
				switch {
				case !b.moving[s]:
				case first == "":
					first = s
				case find(first) != find(s):
					parent[find(s)] = find(first)
				}
			}
		}
	}
	var bundles [][]string
	at := map[string]int{}
	for _, s := range services {
		root := find(s)
		if _, seen := at[root]; !seen {
			at[root] = len(bundles)
			bundles = append(bundles, nil)
		}
		bundles[at[root]] = append(bundles[at[root]], s)
	}
	for _, members := range bundles {
		sort.Strings(members)
	}
	return bundles
}

// together lets the services of a bundle stop at the same time: each waits
// for what the others wait for. Without this a producer would be down for as
// long as the processor that shares its topic still drains. A wait that would
// close a cycle is left out. Programs moreover wait for the people in the
// bundle.
func (b *builder) together(services []string) {
	for _, members := range b.bundles(services) {
		all := set{}
		for _, s := range members {
			for need := range b.needs[serviceAddress(s, "stop")] {
				all[need] = true
			}
		}
		// A person takes longer than a program: what a program stops goes down
		// after what a person stops, so that it does not wait for hours.
		for _, s := range members {
			if b.services[s].Switch.Manual != nil {
				all[serviceAddress(s, "stop")] = true
			}
		}
		for _, s := range members {
			stop := serviceAddress(s, "stop")
			for _, need := range sorted(all) {
				byHand := b.services[s].Switch.Manual != nil && b.isStop(need)
				if need != stop && !byHand && !b.needs[stop][need] && !b.reaches(need, stop) {
					b.need(stop, need)
				}
			}
		}
	}
}

// isStop reports whether the address is that of a service's stop.
func (b *builder) isStop(address string) bool {
	s := b.steps[address]
	return s != nil && s.Kind == Stop
}

// reaches reports whether step from waits, directly or not, for step to.
func (b *builder) reaches(from, to string) bool {
	seen := set{}
	queue := []string{from}
	for len(queue) > 0 {
		a := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if a == to {
			return true
		}
		if seen[a] {
			continue
		}
		seen[a] = true
		for need := range b.needs[a] {
			queue = append(queue, need)
		}
	}
	return false
}

// topicWaves returns the wave in which the topic's writers move (its first
// readers' when nobody writes it) and the wave in which the last of its
// readers has moved.
func (b *builder) topicWaves(t string) (first, last int) {
	for w := range b.writers[t] {
		first = max(first, b.waveOf[w])
	}
	last = first
	for r := range b.readers[t] {
		wave := b.waveOf[r]
		last = max(last, wave)
		if len(b.writers[t]) == 0 && wave > 0 && (first == 0 || wave < first) {
			first = wave
		}
	}
	if first == 0 { // its writers have moved before
		first = last
	}
	return first, last
}

// list writes names for people: a, b and c.
func list(names []string) string {
	quoted := each(names, func(n string) string { return `"` + n + `"` })
	if len(quoted) < 2 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " and " + quoted[len(quoted)-1]
}
