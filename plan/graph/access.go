package graph

import (
	"slices"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
)

// access adds the steps of rules, quotas and users: one for each principal,
// entity and user, whether anything is missing or not, as for topics.
func (b *builder) access(sel Selection) {
	var steps []*Step
	for _, p := range sel.Principals {
		steps = append(steps, &Step{Address: ACLsAddress(p), Kind: GrantACLs, Phase: Prepare, Principal: p})
	}
	for _, e := range sel.Quotas {
		steps = append(steps, &Step{Address: QuotaAddress(e), Kind: SetQuota, Phase: Prepare, Entity: e})
	}
	for _, u := range b.m.Users {
		steps = append(steps, &Step{Address: UserAddress(u.Name), Kind: CreateUser, Phase: Prepare, User: u.Name})
	}
	for _, s := range steps {
		b.creates = append(b.creates, b.add(s))
	}
}

// access selects the principals and the quotas of the source that the plan
// includes.
func (sel *Selection) access(m *plan.Migration, of cluster.Access) {
	principals := set{}
	for _, a := range of.ACLs {
		if m.ACLs.Selects(a.Principal) && Moves(m, a) {
			principals[a.Principal] = true
		}
	}
	if len(principals) > 0 {
		sel.Principals = sorted(principals)
	}
	for _, q := range of.Quotas {
		if QuotaMoves(m, q.Entity) {
			sel.Quotas = append(sel.Quotas, q.Entity)
		}
	}
	slices.SortFunc(sel.Quotas, cluster.QuotaEntity.Compare)
}

// literalAccess draws the principals and users that the plan names in full.
func (sel *Selection) literalAccess(m *plan.Migration) {
	if m.ACLs != nil {
		for _, p := range m.ACLs.Include {
			if p.Literal() && !slices.Contains(sel.Principals, p.Text) {
				sel.Principals = append(sel.Principals, p.Text)
			}
		}
	}
	if m.Quotas != nil {
		for _, p := range m.Quotas.Include {
			user, is := strings.CutPrefix(p.Text, "User:")
			if e := (cluster.QuotaEntity{User: cluster.EntityName(user)}); is && p.Literal() && !slices.Contains(sel.Quotas, e) {
				sel.Quotas = append(sel.Quotas, e)
			}
		}
	}
	slices.Sort(sel.Principals)
	slices.SortFunc(sel.Quotas, cluster.QuotaEntity.Compare)
}

// QuotaMoves reports whether the plan includes the quota of an entity.
func QuotaMoves(m *plan.Migration, e cluster.QuotaEntity) bool {
	part := func(field string) plan.Quoted {
		name, isDefault := cluster.NameOf(field)
		return plan.Quoted{Name: name, Default: isDefault}
	}
	return m.Quotas.Selects(part(e.User), part(e.ClientID), part(e.IP))
}

// Moves reports whether a rule of an included principal is about what moves:
// everything but single topics that the plan does not select. Prefixes and "*"
// stay as they are, for they are about topics that come later as well.
func Moves(m *plan.Migration, rule cluster.ACL) bool {
	return rule.Resource != "topic" || rule.Pattern != cluster.Literal || rule.Name == "*" || m.Topics.Selects(rule.Name)
}
