package graph

import (
	"bufio"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
)

// DebugRepr returns every fact of the graph in a stable form, for goldens.
func (g *Graph) DebugRepr() string {
	var b strings.Builder
	for i, w := range g.Waves {
		fmt.Fprintf(&b, "wave %d: %s\n", i+1, strings.Join(w.Services, " "))
	}
	for _, s := range g.Steps {
		fmt.Fprintf(&b, "%s %s", s.Address, s.Kind)
		if s.Side != 0 {
			fmt.Fprintf(&b, " side=%s", s.Side)
		}
		for _, part := range []struct {
			name string
			of   []string
		}{{"topics", s.Topics}, {"inner", s.Inner}, {"owners", s.Owners}, {"principals", s.Principals}} {
			if len(part.of) > 0 {
				fmt.Fprintf(&b, " %s=%s", part.name, strings.Join(part.of, ","))
			}
		}
		if s.Kind == Gate {
			fmt.Fprintf(&b, " phase=%s before=%s conditions=%q", s.Phase, s.Before, s.Conditions)
		}
		if s.Manual {
			b.WriteString(" manual")
		}
		if s.Wave > 0 {
			fmt.Fprintf(&b, " wave=%d", s.Wave)
		}
		b.WriteString("\n")
		for _, need := range s.Needs {
			fmt.Fprintf(&b, "  <- %s\n", need)
		}
	}
	return b.String()
}

// WriteText writes the graph for people: numbered steps in an order in which
// they could run, under phases and waves, each with the numbers that it waits
// for.
func (g *Graph) WriteText(w io.Writer) error {
	if len(g.Steps) == 0 {
		_, err := fmt.Fprintln(w, g.nothing())
		return err
	}
	return g.WriteSteps(w, g.Steps)
}

// WriteSteps writes some steps of the graph as WriteText does all; what they wait
// for is said as far as it is among them.
func (g *Graph) WriteSteps(w io.Writer, steps []*Step) error {
	out := bufio.NewWriter(w)
	number := map[string]int{}
	width := 0
	for i, s := range steps {
		number[s.Address] = i + 1
		width = max(width, len([]rune(s.label())))
	}
	width = min(width, 60)
	digits := len(strconv.Itoa(len(steps)))
	phase, wave := Phase(""), 0
	for i, s := range steps {
		if s.Phase != phase {
			phase, wave = s.Phase, 0
			fmt.Fprintf(out, "%s\n", phase)
		}
		if s.Wave != wave && s.Wave > 0 && s.Wave <= len(g.Waves) {
			wave = s.Wave
			fmt.Fprintf(out, "  wave %d: %s\n", wave, strings.Join(g.Waves[wave-1].Services, ", "))
		}
		line := fmt.Sprintf("  %*d  %-*s", digits, i+1, width, s.label())
		if after := runs(s.Needs, number); after != "" {
			line += "  after " + after
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	return out.Flush()
}

// nothing says why there are no steps. A plan without services moves nothing,
// whatever is where.
func (g *Graph) nothing() string {
	if g.idle {
		return "No steps: no service of the plan moves, and without a cluster it is not known which topics its patterns match."
	}
	return "No steps: everything is where it is wanted."
}

// runs writes the numbers of the steps, adjacent ones as a range: 1-31, 40.
func runs(addresses []string, number map[string]int) string {
	var all []int
	for _, a := range addresses {
		if n, there := number[a]; there {
			all = append(all, n)
		}
	}
	sort.Ints(all)
	var parts []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		switch {
		case j == i:
			parts = append(parts, strconv.Itoa(all[i]))
		case j == i+1:
			parts = append(parts, strconv.Itoa(all[i]), strconv.Itoa(all[j]))
		default:
			parts = append(parts, fmt.Sprintf("%d-%d", all[i], all[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}
