package diff

import (
	"cmp"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// leastIterations is what Kafka's own tools take where nothing else is said.
const leastIterations = 4096

// UserChange is what there is to do about one user block. Action is Create, or
// empty when the user is there. Passwords are no part of it: nobody can compare
// them.
type UserChange struct {
	Want   cluster.ScramUser
	Action Action
	Differ string // how the user that is there differs from the block; empty: it does not
}

// Users compares the user blocks with the SCRAM users of the target, by name. A
// user that is there is never changed: its password would be lost.
func Users(m *plan.Migration, source, target cluster.Access) []UserChange {
	var all []UserChange
	for _, u := range m.Users {
		c := UserChange{Want: cluster.ScramUser{Name: u.Name, Mechanism: u.Mechanism, Iterations: u.Iterations}}
		if c.Want.Iterations == 0 {
			c.Want.Iterations = iterationsOf(m, source, u)
		}
		var has []string
		same := false
		for _, t := range target.Users {
			if t.Name != u.Name {
				continue
			}
			has = append(has, fmt.Sprintf("%s with %d iterations", t.Mechanism, t.Iterations))
			// Iterations that the plan does not state may be what they are.
			same = same || t.Mechanism == u.Mechanism && (u.Iterations == 0 || t.Iterations == u.Iterations)
		}
		switch {
		case len(has) == 0:
			c.Action = Create
		case !same:
			c.Differ = strings.Join(has, ", ")
		}
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Want.Name < all[j].Want.Name })
	return all
}

// iterationsOf are those of the user's predecessor on the source: itself, or the
// one whose principal becomes it.
func iterationsOf(m *plan.Migration, source cluster.Access, u plan.User) int {
	found := 0
	for _, s := range source.Users {
		if s.Mechanism == u.Mechanism && m.ACLs.OnTarget("User:"+s.Name) == "User:"+u.Name {
			found = max(found, s.Iterations)
		}
	}
	return cmp.Or(found, leastIterations)
}

// UserRows turns the changes into rows of the diff.
func UserRows(changes []UserChange) []Change {
	var rows []Change
	for _, c := range changes {
		if c.Action == Create {
			rows = append(rows, Change{
				Address: graph.UserAddress(c.Want.Name), Phase: graph.Prepare, Action: Create, Object: Object{"user", c.Want.Name}, Broker: Unasked,
				After: map[string]string{"mechanism": c.Want.Mechanism, "iterations": strconv.Itoa(c.Want.Iterations)},
			})
		}
	}
	return rows
}

// WantsUsers reports whether the plan gives a reason to ask for SCRAM users.
func WantsUsers(m *plan.Migration) bool {
	if m.ACLs != nil || len(m.Users) > 0 {
		return true
	}
	for _, s := range m.Services {
		if len(s.Principals) > 0 {
			return true
		}
	}
	return false
}

// UserChecks names the SCRAM users of the source that move and that the target
// would lack, the users that are there otherwise than the plan says, and what
// keeps users from being compared.
func UserChecks(m *plan.Migration, changes []UserChange, source, target cluster.Access) []Check {
	if !WantsUsers(m) {
		return nil
	}
	const asked = "has the target the SCRAM users of the principals that move?"
	if unread := unreadable(CheckUsers, asked, "the SCRAM users", "Describe on the cluster", nil, source.UsersErr, target.UsersErr); unread != nil {
		return unread
	}
	var checks []Check
	there := map[string]bool{}
	for _, t := range target.Users {
		there[t.Name] = true
	}
	for _, c := range changes {
		there[c.Want.Name] = true
		if c.Differ == "" {
			continue
		}
		checks = append(checks, Check{
			Name: CheckUsers, Object: Object{"user", c.Want.Name}, Verdict: Fail, Asked: asked,
			Saw:    fmt.Sprintf("%s with %d iterations wanted, %s on the target", c.Want.Mechanism, c.Want.Iterations, c.Differ),
			Advice: "kplan changes no user that is there, for that would change its password: change it on the target (kafka-configs --alter --entity-type users), or say in the block what is there",
		})
	}
	missing := map[string]string{}
	for _, s := range source.Users {
		principal := "User:" + s.Name
		name, is := strings.CutPrefix(m.ACLs.OnTarget(principal), "User:")
		if is && !there[name] && usesPrincipal(m, principal) {
			missing[name] = strings.TrimPrefix(missing[name]+", "+s.Mechanism, ", ")
		}
	}
	for _, name := range sortedKeys(missing) {
		checks = append(checks, Check{
			Name: CheckUsers, Object: Object{"user", name}, Verdict: Fail, Asked: asked,
			Saw:    fmt.Sprintf("missing on the target, and no user block gives it (on the source: %s)", missing[name]),
			Advice: fmt.Sprintf("Kafka tells no passwords, so give one: user %q { mechanism = %q, password = env(\"...\") } (on lines of their own), or create the user by other means", name, firstWord(missing[name])),
		})
	}
	return checks
}

func firstWord(list string) string {
	word, _, _ := strings.Cut(list, ",")
	return word
}

func usesPrincipal(m *plan.Migration, principal string) bool {
	if m.ACLs.Selects(principal) {
		return true
	}
	for _, s := range m.Services {
		for _, p := range s.Principals {
			if p.Name == principal {
				return true
			}
		}
	}
	return false
}
