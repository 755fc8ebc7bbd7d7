package diff

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// QuotaChange is what there is to do about the quota of one entity of the
// source. Action is Create, Update, or empty when nothing is done.
type QuotaChange struct {
	Entity  cluster.QuotaEntity // on the source
	Becomes cluster.QuotaEntity // on the target
	Wanted  map[string]float64
	Have    map[string]float64 // nil: the target has none
	Action  Action
	Set     map[string]float64 // keys that apply sets
	Stays   []string           // keys that differ and stay; sorted
	Extra   []string           // keys that only the target has; they stay; sorted
	Torn    []string           // keys that another entity with the same name on the target has with another value; they are not set; sorted
}

// Quotas compares the quotas of every included entity of the source with the
// target's, by entity. A key that the target lacks is set. One that it has with
// another value is altered when kplan has set it (owned, by the entity on the
// target) or the plan says existing = "alter"; else it stays.
func Quotas(m *plan.Migration, source, target cluster.Access, owned map[cluster.QuotaEntity]bool) []QuotaChange {
	if m.Quotas == nil {
		return nil
	}
	have := map[cluster.QuotaEntity]map[string]float64{}
	for _, q := range target.Quotas {
		if len(q.Values) > 0 {
			have[q.Entity] = q.Values
		}
	}
	var all []QuotaChange
	wanted := map[cluster.QuotaEntity][]map[string]float64{} // by the entity on the target
	for _, q := range source.Quotas {
		if len(q.Values) == 0 || !graph.QuotaMoves(m, q.Entity) {
			continue
		}
		c := QuotaChange{Entity: q.Entity, Becomes: entityOnTarget(m, q.Entity), Wanted: q.Values}
		c.Have = have[c.Becomes]
		wanted[c.Becomes] = append(wanted[c.Becomes], q.Values)
		all = append(all, c)
	}
	for i := range all {
		c := &all[i]
		c.compare(wanted[c.Becomes], m.Quotas.Existing == "alter" || owned[c.Becomes])
	}
	slices.SortFunc(all, func(a, b QuotaChange) int { return a.Entity.Compare(b.Entity) })
	return all
}

// entityOnTarget gives the user the name that acls gives to its principal.
func entityOnTarget(m *plan.Migration, e cluster.QuotaEntity) cluster.QuotaEntity {
	if name, isDefault := cluster.NameOf(e.User); e.User != "" && !isDefault {
		if user, is := strings.CutPrefix(m.ACLs.OnTarget("User:"+name), "User:"); is {
			e.User = cluster.EntityName(user)
		}
	}
	return e
}

// compare takes what all the entities want that become the same one.
func (c *QuotaChange) compare(wanted []map[string]float64, alter bool) {
	for _, key := range sortedKeys(c.Wanted) {
		want := c.Wanted[key]
		have, has := c.Have[key]
		torn := slices.ContainsFunc(wanted, func(other map[string]float64) bool { v, also := other[key]; return also && v != want })
		switch {
		case torn:
			c.Torn = append(c.Torn, key)
		case has && have == want:
		case has && !alter:
			c.Stays = append(c.Stays, key)
		default:
			if c.Set == nil {
				c.Set = map[string]float64{}
			}
			c.Set[key] = want
		}
	}
	for _, key := range sortedKeys(c.Have) {
		if !slices.ContainsFunc(wanted, func(w map[string]float64) bool { _, is := w[key]; return is }) {
			c.Extra = append(c.Extra, key)
		}
	}
	switch {
	case len(c.Set) > 0 && c.Have == nil:
		c.Action = Create
	case len(c.Set) > 0:
		c.Action = Update
	}
}

// QuotasToSet are the changes as SetQuotas takes them: one for each entity of
// the target, which several of the source may become.
func QuotasToSet(changes []QuotaChange) []cluster.Quota {
	var all []cluster.Quota
	at := map[cluster.QuotaEntity]int{}
	for _, c := range changes {
		if len(c.Set) == 0 {
			continue
		}
		i, known := at[c.Becomes]
		if !known {
			i, at[c.Becomes] = len(all), len(all)
			all = append(all, cluster.Quota{Entity: c.Becomes, Values: map[string]float64{}})
		}
		maps.Copy(all[i].Values, c.Set)
	}
	return all
}

// QuotaRows turns the changes into rows of the diff: first what is done, with
// the brokers' answers by the entity on the target, then the notes.
func QuotaRows(changes []QuotaChange, answers map[cluster.QuotaEntity]Answer) []Change {
	var rows, notes []Change
	for _, c := range changes {
		about := Object{"quota", c.Entity.String()}
		if c.Action != "" {
			row := Change{Address: graph.QuotaAddress(c.Entity), Phase: graph.Prepare, Action: c.Action, Object: about, Broker: Unasked, After: map[string]string{}}
			for key, value := range c.Set {
				row.After[key] = number(value)
				if c.Action != Update {
					continue
				}
				if row.Before == nil {
					row.Before = map[string]string{}
				}
				if have, has := c.Have[key]; has {
					row.Before[key] = number(have)
				}
			}
			if c.Becomes != c.Entity {
				row.After["becomes"] = c.Becomes.String()
			}
			if answer, ok := answers[c.Becomes]; ok {
				row.Broker, row.Reason = Accepted, answer.Reason
				if !answer.Accepted {
					row.Broker = Rejected
				}
			}
			rows = append(rows, row)
		}
		if len(c.Extra) > 0 {
			notes = append(notes, Noted(about, fmt.Sprintf("the target limits what the source does not, and that stays: %s", pairs(c.Extra, c.Have))))
		}
	}
	return append(rows, notes...)
}

// QuotaChecks returns a failed check for each difference that apply leaves as
// it is, and for what keeps quotas from being compared.
func QuotaChecks(m *plan.Migration, changes []QuotaChange, source, target cluster.Access) []Check {
	if m.Quotas == nil {
		return nil
	}
	const asked = "has the target the quotas of the included clients?"
	if unread := unreadable(CheckQuotas, asked, "the client quotas", "DescribeConfigs on the cluster", nil, source.QuotasErr, target.QuotasErr); unread != nil {
		return unread
	}
	var checks []Check
	for _, c := range changes {
		if len(c.Torn) > 0 {
			checks = append(checks, Check{
				Name: CheckQuotas, Object: Object{"quota", c.Entity.String()}, Verdict: Fail, Asked: asked,
				Saw:    fmt.Sprintf("%s wanted, and another client of the source that becomes %s on the target has another value: kplan sets neither", pairs(c.Torn, c.Wanted), c.Becomes),
				Advice: fmt.Sprintf("Make the two alike on the source, leave one out of quotas.include, or set it on the target by hand and say so: waive %q { reason = \"...\" }", CheckQuotas),
			})
		}
		if len(c.Stays) == 0 {
			continue
		}
		checks = append(checks, Check{
			Name: CheckQuotas, Object: Object{"quota", c.Entity.String()}, Verdict: Fail, Asked: asked,
			Saw:    fmt.Sprintf("%s wanted, %s on the target", pairs(c.Stays, c.Wanted), pairs(c.Stays, c.Have)),
			Advice: "kplan did not set this quota: let it be altered (quotas { existing = \"alter\" }), change it on the target (kafka-configs), or leave it out of quotas.include",
		})
	}
	return checks
}

func pairs(keys []string, values map[string]float64) string {
	var parts []string
	for _, key := range keys {
		parts = append(parts, key+" "+number(values[key]))
	}
	return strings.Join(parts, ", ")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
