package report_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

// Rules, quotas and users have rows of their own, and principals with as many
// rules go into one.
func TestAccessRows(t *testing.T) {
	rule := func(principal, op string) cluster.ACL {
		return cluster.ACL{Resource: "topic", Name: "t", Pattern: cluster.Prefixed, Principal: principal, Host: "*", Operation: op, Permission: cluster.Allow}
	}
	acls := []diff.ACLChange{
		{Principal: "User:a", Becomes: "User:b", Create: []cluster.ACL{rule("User:b", "read"), rule("User:b", "write"), rule("User:b", "describe"), rule("User:b", "alter")}},
		{Principal: "User:c", Becomes: "User:c", Create: []cluster.ACL{rule("User:c", "read")}},
		{Principal: "User:d", Becomes: "User:d", Create: []cluster.ACL{rule("User:d", "read")}},
	}
	quotas := []diff.QuotaChange{
		{Entity: cluster.QuotaEntity{User: "a", ClientID: "<default>"}, Becomes: cluster.QuotaEntity{User: "b", ClientID: "<default>"}, Action: diff.Create, Set: map[string]float64{"producer_byte_rate": 1048576}},
		{Entity: cluster.QuotaEntity{IP: "10.0.0.1"}, Becomes: cluster.QuotaEntity{IP: "10.0.0.1"}, Action: diff.Update, Set: map[string]float64{"connection_creation_rate": 2.5}, Have: map[string]float64{"connection_creation_rate": 1}},
	}
	users := []diff.UserChange{{Want: cluster.ScramUser{Name: "b", Mechanism: "SCRAM-SHA-512", Iterations: 8192}, Action: diff.Create}}
	m := &plan.Migration{ACLs: &plan.ACLs{}}
	changes := append(append(diff.ACLRows(m, acls, cluster.Access{}), diff.QuotaRows(quotas, map[cluster.QuotaEntity]diff.Answer{{IP: "10.0.0.1"}: {Accepted: true}})...), diff.UserRows(users)...)
	changes, notes := diff.Apart(changes)
	doc := diff.Doc{Migration: "m", Clusters: diff.Clusters{Source: diff.ClusterRef{Name: "old"}, Target: diff.ClusterRef{Name: "new"}}, Changes: changes, Notes: notes, Summary: diff.Summarise(changes, notes, nil)}
	var out bytes.Buffer
	if err := report.DiffText(&out, doc, report.Options{}); err != nil {
		t.Fatal(err)
	}
	want := `m: old → new
1 prepare
  + create  acls User:a                         4 rules, as User:b                                                        brokers not asked
            allow read on topic "t…" from *
            allow write on topic "t…" from *
            allow describe on topic "t…" from *
            and 1 more rule
  + create  2 principals                        1 rule                                                                    brokers not asked
  + create  quota user=a client-id=<default>    producer_byte_rate 1048576, as user=b client-id=<default>         brokers not asked
  ~ change  quota ip=10.0.0.1                   connection_creation_rate 1 → 2.5                                          accepted by brokers
  + create  user b                              iterations 8192, mechanism SCRAM-SHA-512                                  brokers not asked
Diff: 5 create, 1 change, 0 remove.
`
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if d := cmp.Diff(squeeze(want), squeeze(out.String())); d != "" {
		t.Errorf("(-want +got):\n%s\n%s", d, out.String())
	}
	var all bytes.Buffer
	if err := report.DiffText(&all, doc, report.Options{Full: true}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"acls User:c", "acls User:d", `allow alter on topic "t…" from *`} {
		if !strings.Contains(all.String(), line) {
			t.Errorf("--full does not show %q:\n%s", line, all.String())
		}
	}
}
