package report

import (
	"fmt"
	"sort"
	"strings"

	"kplan/plan/diff"
	"kplan/plan/graph"
)

// stepRows folds the steps of a wave into one row; in full each step is a row
// with its address.
func stepRows(steps []diff.Change, opts Options) []row {
	if opts.Full {
		return everyStep(steps)
	}
	gates, steps := apart(steps)
	waves := map[string][]diff.Change{}
	for _, c := range steps {
		waves[c.After["wave"]] = append(waves[c.After["wave"]], c)
	}
	// By the first step that the row will show: with production_later the
	// consumers of a later wave start before the producers of an earlier one.
	var order []string
	seen := map[string]bool{}
	for _, c := range steps {
		wave, shown := c.After["wave"], len(acts([]diff.Change{c})) > 0
		if shown && !seen[wave] {
			seen[wave] = true
			order = append(order, wave)
		}
	}
	rows := gateRows(gates[""])
	seen[""] = true
	for _, wave := range order {
		if wave != "" { // those before a phase are there already
			rows = append(rows, gateRows(gates[wave])...)
		}
		rows = append(rows, waveRow(wave, waves[wave]))
	}
	// Nothing else of these waves is shown, and still somebody waits.
	var rest []string
	for wave := range gates {
		if !seen[wave] {
			rest = append(rest, wave)
		}
	}
	sort.Strings(rest)
	for _, wave := range rest {
		rows = append(rows, gateRows(gates[wave])...)
	}
	return rows
}

// apart takes the gates out of the steps, by the wave before which they stand;
// those before a whole phase stand before no wave.
func apart(steps []diff.Change) (gates map[string][]diff.Change, rest []diff.Change) {
	gates = map[string][]diff.Change{}
	for _, c := range steps {
		if c.Object.Kind == "gate" {
			gates[c.After["wave"]] = append(gates[c.After["wave"]], c)
			continue
		}
		rest = append(rest, c)
	}
	return gates, rest
}

// gateRows gives each gate a row: people wait for it.
func gateRows(gates []diff.Change) []row {
	var rows []row
	for _, c := range gates {
		r := row{mark: ">", word: "run", object: clean(c.Address), detail: clean(c.Reason)}
		if c.Action == diff.Human {
			r.mark, r.word = "?", "human"
		}
		if before := c.After["before"]; before != string(c.Phase) {
			r.object += ", before " + clean(before)
		}
		rows = append(rows, r)
	}
	return rows
}

func everyStep(steps []diff.Change) []row {
	var rows []row
	for _, c := range steps {
		r := row{mark: ">", word: "run", object: clean(c.Reason), detail: clean(c.Address)}
		if c.Action == diff.Human {
			r.mark, r.word = "?", "human"
		}
		rows = append(rows, r)
	}
	return rows
}

// copyRows says what the mirror does before anything is switched.
func copyRows(steps []diff.Change, opts Options) []row {
	if opts.Full {
		return everyStep(steps)
	}
	gates, steps := apart(steps)
	rows := gateRows(gates[""])
	for _, c := range steps {
		topics := strings.Split(c.After["topics"], ",")
		r := row{mark: ">", word: "run", object: clean(c.Reason)}
		if c.After["topics"] != "" {
			r.detail = few(topics, "topic")
		}
		rows = append(rows, r)
	}
	return rows
}

func waveRow(wave string, steps []diff.Change) row {
	r := row{mark: ">", word: "run"}
	var services []string
	seen := map[string]bool{}
	for _, c := range steps {
		if c.Object.Kind != "service" || seen[c.Object.Name] {
			continue
		}
		seen[c.Object.Name] = true
		name := clean(c.Object.Name)
		if c.Action == diff.Human {
			r.mark, r.word = "?", "human"
			name += " (by hand)"
		}
		services = append(services, name)
	}
	r.object = fmt.Sprintf("wave %s: %s", wave, strings.Join(services, ", "))
	if wave == "" {
		r.object = "topics that no service uses"
	}
	r.detail = strings.Join(acts(steps), " → ")
	return r
}

// acts says in a few words what happens to a wave, in the order of its steps.
func acts(steps []diff.Change) []string {
	words := map[graph.Kind]string{
		graph.Stop: "stop", graph.Start: "start", graph.Fence: "deny them to write", graph.Boundary: "wait for quiet", graph.Drain: "drain",
		graph.MirrorDrain: "copy the rest", graph.Place: "place offsets (measured at switch)", graph.Works: "see it work",
	}
	names := map[graph.Kind][]string{}
	var order []graph.Kind
	for _, c := range steps {
		kind := graph.Kind(c.After["step"])
		if words[kind] == "" {
			continue
		}
		if len(names[kind]) == 0 {
			order = append(order, kind)
		}
		names[kind] = append(names[kind], clean(c.Object.Name))
	}
	var all []string
	for _, kind := range order {
		word := words[kind]
		if kind == graph.Drain {
			word += " " + few(names[kind], "group")
		}
		all = append(all, word)
	}
	return all
}

func few(names []string, noun string) string {
	if len(names) > 3 {
		return count(len(names), noun)
	}
	return strings.Join(names, ", ")
}
