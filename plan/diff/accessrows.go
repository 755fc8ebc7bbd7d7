package diff

import (
	"kplan/internal/cluster"
	"kplan/plan"
)

// Access is what there is to do about rules, quotas and users.
type Access struct {
	ACLs   []ACLChange
	Quotas []QuotaChange
	Users  []UserChange
}

// CompareAccess compares all three; owned are the quotas that kplan has set, by
// the entity on the target. What a cluster did not tell gives no changes: Checks
// says why.
func CompareAccess(m *plan.Migration, source, target cluster.Access, owned map[cluster.QuotaEntity]bool) Access {
	var a Access
	if source.ACLsErr == nil && target.ACLsErr == nil {
		a.ACLs = ACLs(m, source, target)
	} else if isNoAuthorizer(target.ACLsErr) {
		a.ACLs = ACLs(m, source, target)
		for i := range a.ACLs {
			a.ACLs[i].Create = nil
		}
	}
	if source.QuotasErr == nil && target.QuotasErr == nil {
		a.Quotas = Quotas(m, source, target, owned)
	}
	if target.UsersErr == nil {
		a.Users = Users(m, source, target)
	}
	return a
}

// Rows are the changes and notes of all three. answers are the brokers' to the
// quotas, by the entity on the target; rules and users have no validateOnly.
func (a Access) Rows(m *plan.Migration, source cluster.Access, answers map[cluster.QuotaEntity]Answer) []Change {
	return append(append(ACLRows(m, a.ACLs, source), QuotaRows(a.Quotas, answers)...), UserRows(a.Users)...)
}

// Checks are what keeps the three from being alike after apply.
func (a Access) Checks(m *plan.Migration, source, target cluster.Access) []Check {
	checks := ACLChecks(m, a.ACLs, source, target)
	checks = append(checks, QuotaChecks(m, a.Quotas, source, target)...)
	return append(checks, UserChecks(m, a.Users, source, target)...)
}
