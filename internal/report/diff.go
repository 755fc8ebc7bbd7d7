package report

import (
	"fmt"
	"io"
	"strings"

	"kplan/plan/diff"
	"kplan/plan/graph"
)

// DiffText writes the diff for people: a header, what changes by phase, the
// checks that did not pass, and a last line with the sum and the risk. A diff
// without anything to do is one line, unless a check failed or all is asked
// for.
func DiffText(w io.Writer, doc diff.Doc, opts Options) error {
	t := &text{opts: opts}
	if doc.Empty() && len(open(doc.Checks)) == 0 && !opts.Full {
		t.line("No changes.")
		return t.write(w)
	}
	t.line(header(doc, opts))
	number := 0
	for _, phase := range graph.Phases() {
		rows := phaseRows(doc, phase, opts)
		if len(rows) == 0 {
			continue
		}
		number++
		t.line(fmt.Sprintf("%d %s", number, phase))
		for _, r := range rows {
			t.row(r)
		}
	}
	if rows := checkRows(doc.Checks, opts); len(rows) > 0 {
		t.line("checks")
		for _, r := range rows {
			t.row(r)
		}
	}
	t.line(total(doc))
	return t.write(w)
}

func header(doc diff.Doc, opts Options) string {
	parts := []string{fmt.Sprintf("%s: %s → %s", doc.Migration, end(doc.Clusters.Source, opts), end(doc.Clusters.Target, opts))}
	if doc.Scheme != "" {
		parts = append(parts, doc.Scheme)
	}
	if !doc.ReadAt.IsZero() {
		parts = append(parts, "read "+doc.ReadAt.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return strings.Join(parts, ", ")
}

func end(c diff.ClusterRef, opts Options) string {
	id := clean(c.ID)
	if id == "" {
		return c.Name
	}
	if !opts.Full && width(id) > 4 {
		id = string([]rune(id)[:4]) + "…"
	}
	return c.Name + " (" + id + ")"
}

// phaseRows returns the rows of one phase. A phase in which nothing is done is
// left out with its notes, unless all is asked for.
func phaseRows(doc diff.Doc, phase graph.Phase, opts Options) []row {
	var todo []diff.Change
	for _, c := range doc.Changes {
		if c.Phase == phase {
			todo = append(todo, c)
		}
	}
	var notes []diff.Note
	for _, n := range doc.Notes {
		if n.Phase == phase {
			notes = append(notes, n)
		}
	}
	if len(todo) == 0 && !opts.Full {
		return nil
	}
	var rows []row
	switch phase {
	case graph.Switch:
		rows = stepRows(todo, opts)
	case graph.Mirror:
		rows = copyRows(todo, opts)
	default:
		gates, topics := apart(todo)
		rows = append(stepRows(gates[""], opts), topicRows(topics, opts)...)
	}
	return append(rows, noteRows(notes, doc.Clusters, opts)...)
}

func noteRows(notes []diff.Note, ends diff.Clusters, opts Options) []row {
	var order []string
	groups := map[string][]diff.Note{}
	for _, c := range notes {
		key := c.Reason
		if c.Object.Kind != "topic" || opts.Full {
			key += "\x00" + c.Object.Kind + "\x00" + c.Object.Name
		}
		if len(groups[key]) == 0 {
			order = append(order, key)
		}
		groups[key] = append(groups[key], c)
	}
	var rows []row
	for _, key := range order {
		group := groups[key]
		c := group[0]
		r := row{mark: "i", word: "note", object: c.Object.Kind + " " + clean(c.Object.Name), detail: clean(c.Reason)}
		switch {
		case c.Object.Kind == "config":
			property := "config." + c.Object.Name
			r.object = clean(c.Object.Name)
			r.detail = fmt.Sprintf("inherited and different: %s %s, %s %s",
				ends.Source.Name, Value(c.Object.Name, c.Before[property]), ends.Target.Name, Value(c.Object.Name, c.After[property]))
			r.tail = count(len(c.Topics), "topic")
			if opts.Full {
				r.below = []string{strings.Join(c.Topics, ", ")}
			}
		case len(group) > 1:
			r.object = count(len(group), "topic")
		}
		if c.Code != "" {
			r.tail = c.Code
		}
		rows = append(rows, r)
	}
	return rows
}

// open returns the checks that ask for attention.
func open(checks []diff.Check) []diff.Check {
	var all []diff.Check
	for _, c := range checks {
		if c.Verdict != diff.Pass && c.Waived == "" {
			all = append(all, c)
		}
	}
	return all
}

func checkRows(checks []diff.Check, opts Options) []row {
	var order []string
	groups := map[string][]diff.Check{}
	for _, c := range checks {
		if c.Verdict == diff.Pass {
			continue
		}
		key := c.Name + "\x00" + string(c.Verdict) + "\x00" + c.Saw + "\x00" + c.Waived
		if opts.Full {
			key += "\x00" + c.Object.Name
		}
		if len(groups[key]) == 0 {
			order = append(order, key)
		}
		groups[key] = append(groups[key], c)
	}
	var rows []row
	for _, key := range order {
		group := groups[key]
		c := group[0]
		about := c.Object.Kind + " " + clean(c.Object.Name)
		if len(group) > 1 {
			about = count(len(group), c.Object.Kind)
		}
		r := row{mark: "!", word: string(c.Verdict), object: c.Name, detail: strings.TrimSpace(about) + ": " + clean(c.Saw)}
		if c.Waived != "" {
			r.mark, r.word = "i", "waived"
			r.below = []string{"reason: " + clean(c.Waived)}
		} else if c.Advice != "" {
			r.below = []string{"→ " + clean(c.Advice)}
		}
		rows = append(rows, r)
	}
	return rows
}

// total is the last line: the sum, and the risk.
func total(doc diff.Doc) string {
	s := doc.Summary
	var parts []string
	if doc.Empty() {
		parts = append(parts, "No changes")
	} else {
		parts = append(parts, fmt.Sprintf("Diff: %d create, %d change, 0 remove", s.Create, s.Update))
	}
	if s.Services > 0 {
		part := fmt.Sprintf("%s to switch in %s", count(s.Services, "service"), count(s.Waves, "wave"))
		if s.ByHand > 0 {
			part += fmt.Sprintf(" (%d by hand)", s.ByHand)
		}
		if s.Gates > 0 {
			part += ", " + count(s.Gates, "gate") + " to pass"
		}
		parts = append(parts, part)
	}
	if s.Rejected > 0 {
		parts = append(parts, fmt.Sprintf("%d rejected by the brokers", s.Rejected))
	}
	if s.Failed > 0 {
		parts = append(parts, count(s.Failed, "failed check"))
	}
	if s.Unknown > 0 {
		parts = append(parts, count(s.Unknown, "check")+" without an answer")
	}
	if s.Services > 0 {
		parts = append(parts, fmt.Sprintf("no lossless way back once a service writes on %s", doc.Clusters.Target.Name))
	}
	return strings.Join(parts, "; ") + "."
}
