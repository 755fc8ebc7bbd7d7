package graph

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteDOT writes the graph for Graphviz, phases as clusters, steps that a
// person does as double octagons, gates as diamonds.
func (g *Graph) WriteDOT(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "digraph kplan {")
	fmt.Fprintln(out, "  rankdir=LR;")
	fmt.Fprintln(out, "  node [shape=box];")
	for _, phase := range g.phases() {
		fmt.Fprintf(out, "  subgraph %s {\n", quoteDOT("cluster_"+string(phase)))
		fmt.Fprintf(out, "    label=%s;\n", quoteDOT(string(phase)))
		for _, s := range g.Steps {
			if s.Phase != phase {
				continue
			}
			shape := ""
			switch {
			case s.Kind == Gate:
				shape = ", shape=diamond"
			case s.Manual:
				shape = ", shape=doubleoctagon"
			}
			fmt.Fprintf(out, "    %s [label=%s%s];\n", quoteDOT(s.Address), quoteDOT(s.label()), shape)
		}
		fmt.Fprintln(out, "  }")
	}
	for _, s := range g.Steps {
		for _, need := range s.Needs {
			fmt.Fprintf(out, "  %s -> %s;\n", quoteDOT(need), quoteDOT(s.Address))
		}
	}
	fmt.Fprintln(out, "}")
	return out.Flush()
}

// quoteDOT writes a quoted string of the DOT language, in which a backslash
// before another letter than a quote is an escape of labels (\n, \N, \G).
func quoteDOT(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", " ", "\n", " ").Replace(text) + `"`
}

// WriteMermaid writes the graph as a Mermaid flowchart, phases as subgraphs,
// steps that a person does as slanted boxes, gates as rhombs.
func (g *Graph) WriteMermaid(w io.Writer) error {
	out := bufio.NewWriter(w)
	id := map[string]string{}
	for i, s := range g.Steps {
		id[s.Address] = fmt.Sprintf("s%d", i+1)
	}
	fmt.Fprintln(out, "flowchart LR")
	for _, phase := range g.phases() {
		fmt.Fprintf(out, "  subgraph phase_%s[%s]\n", phase, quoteMermaid(string(phase)))
		for _, s := range g.Steps {
			if s.Phase != phase {
				continue
			}
			left, right := "[", "]"
			switch {
			case s.Kind == Gate:
				left, right = "{", "}"
			case s.Manual:
				left, right = "[/", "/]"
			}
			fmt.Fprintf(out, "    %s%s%s%s\n", id[s.Address], left, quoteMermaid(s.label()), right)
		}
		fmt.Fprintln(out, "  end")
	}
	for _, s := range g.Steps {
		for _, need := range s.Needs {
			fmt.Fprintf(out, "  %s --> %s\n", id[need], id[s.Address])
		}
	}
	return out.Flush()
}

// quoteMermaid writes a quoted label. Mermaid knows no backslash: a character
// that means something to it or to HTML is written as an entity code.
func quoteMermaid(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\"#&<>`;\\", r) || r < ' ' {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return `"` + b.String() + `"`
}

func (g *Graph) phases() []Phase {
	var all []Phase
	for _, s := range g.Steps {
		if len(all) == 0 || all[len(all)-1] != s.Phase {
			all = append(all, s.Phase)
		}
	}
	return all
}
