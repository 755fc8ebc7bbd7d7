package report

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"kplan/plan/diff"
)

// topicRows folds topics, and principals, clients and users, that change in the
// same way into one row. Creations
// fold over different numbers of partitions, which are always the source's.
func topicRows(changes []diff.Change, opts Options) []row {
	var order []string
	groups := map[string][]diff.Change{}
	for _, c := range changes {
		key := strings.Join([]string{string(c.Action), noun(c.Object.Kind), detail(c), string(c.Broker), c.Reason, c.Advice}, "\x00")
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
		r := row{mark: "+", word: "create", object: c.Object.Kind + " " + clean(c.Object.Name), detail: detail(c), tail: answer(c)}
		if len(group) > 1 {
			r.object = count(len(group), noun(c.Object.Kind))
		} else {
			r.below = ruleLines(c.Rules, opts)
		}
		if c.Advice != "" {
			r.below = append(r.below, "→ "+clean(c.Advice))
		}
		switch {
		case isAccess(c.Object.Kind):
			if c.Action == diff.Update {
				r.mark, r.word = "~", "change"
			}
		case c.Action == diff.Create:
			r.detail = join(partitions(group), r.detail)
		default:
			r.mark, r.word = "~", "change"
		}
		rows = append(rows, r)
	}
	return rows
}

// detail says what changes; of a creation all but the partitions.
func detail(c diff.Change) string {
	var parts []string
	if isAccess(c.Object.Kind) {
		return accessDetail(c)
	}
	if c.Action == diff.Create {
		parts = append(parts, "rf "+c.After["replication_factor"])
		for _, property := range properties(c.After) {
			if key, ok := strings.CutPrefix(property, "config."); ok {
				parts = append(parts, clean(key)+" "+Value(key, c.After[property]))
			}
		}
		return strings.Join(parts, ", ")
	}
	all := map[string]string{}
	for p := range c.Before {
		all[p] = ""
	}
	for p := range c.After {
		all[p] = ""
	}
	for _, property := range properties(all) {
		key := strings.TrimPrefix(property, "config.")
		before, had := c.Before[property]
		after, has := c.After[property]
		name := clean(key)
		switch {
		case !has:
			parts = append(parts, fmt.Sprintf("%s %s → unset", name, Value(key, before)))
		case !had || before == "":
			parts = append(parts, fmt.Sprintf("%s → %s", name, Value(key, after)))
		case before == after:
			parts = append(parts, fmt.Sprintf("%s %s, inherited so far → set", name, Value(key, after)))
		default:
			parts = append(parts, fmt.Sprintf("%s %s → %s", name, Value(key, before), Value(key, after)))
		}
	}
	return strings.Join(parts, ", ")
}

// properties sorts: partitions and replicas before configs.
func properties(m map[string]string) []string {
	var all []string
	for p := range m {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := strings.HasPrefix(all[i], "config."), strings.HasPrefix(all[j], "config.")
		if a != b {
			return b
		}
		return all[i] < all[j]
	})
	return all
}

func partitions(group []diff.Change) string {
	least, most := 0, 0
	for i, c := range group {
		n, err := strconv.Atoi(c.After["partitions"])
		if err != nil {
			return ""
		}
		if i == 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	if least == most {
		return count(most, "partition")
	}
	return fmt.Sprintf("%d to %d partitions", least, most)
}

func join(parts ...string) string {
	var all []string
	for _, p := range parts {
		if p != "" {
			all = append(all, p)
		}
	}
	return strings.Join(all, ", ")
}

func answer(c diff.Change) string {
	switch c.Broker {
	case diff.Accepted:
		return "accepted by brokers"
	case diff.Rejected:
		return "rejected by brokers: " + clean(c.Reason)
	default:
		return "brokers not asked"
	}
}
