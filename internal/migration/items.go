package migration

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
)

// Item is one thing that a state knows.
type Item struct {
	Address string    `json:"address"`
	Status  string    `json:"status"`
	At      time.Time `json:"at,omitzero"`
}

// Items lists what the state knows, by address: steps, sides, topics that
// kplan created, configs that it holds, settings.
func Items(st state.State) []Item {
	var all []Item
	for _, address := range slices.Sorted(maps.Keys(st.Steps)) {
		s := st.Steps[address]
		status := string(s.Status)
		if s.Status == state.Pending || s.Status == state.Reset {
			status = "pending"
		}
		all = append(all, Item{Address: address, Status: status, At: s.At})
	}
	for _, t := range slices.Sorted(maps.Keys(st.Topics)) {
		all = append(all, Item{Address: fmt.Sprintf("topic[%q].side", t), Status: st.Topics[t].Side.String()})
	}
	for _, g := range slices.Sorted(maps.Keys(st.Groups)) {
		all = append(all, Item{Address: fmt.Sprintf("group[%q].side", g), Status: st.Groups[g].Side.String()})
	}
	for _, t := range slices.Sorted(maps.Keys(st.Owned)) {
		all = append(all, Item{Address: fmt.Sprintf("topic[%q].owned", t), Status: "created by kplan"})
	}
	for _, t := range slices.Sorted(maps.Keys(st.Overrides)) {
		all = append(all, Item{Address: fmt.Sprintf("topic[%q].override", t), Status: "held"})
	}
	for _, t := range slices.Sorted(maps.Keys(st.Fences)) {
		status := "standing on the source"
		if !FenceIsSet(st, t) {
			status = "begun on the source" // some of its rules may stand
		}
		all = append(all, Item{Address: fmt.Sprintf("topic[%q].fence", t), Status: status})
	}
	for _, name := range slices.Sorted(maps.Keys(st.Users)) {
		all = append(all, Item{Address: fmt.Sprintf("user[%q].owned", name), Status: "created by kplan"})
	}
	for _, e := range slices.SortedFunc(maps.Keys(st.Quotas), cluster.QuotaEntity.Compare) {
		all = append(all, Item{Address: fmt.Sprintf("quota[%q].owned", e), Status: "set by kplan"})
	}
	if n := len(st.ACLs); n > 0 {
		all = append(all, Item{Address: "acls.owned", Status: fmt.Sprintf("%d created by kplan", n)})
	}
	for _, name := range slices.Sorted(maps.Keys(st.Settings)) {
		all = append(all, Item{Address: name, Status: st.Settings[name]})
	}
	return all
}
