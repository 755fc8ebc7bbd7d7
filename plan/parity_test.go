package plan

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

func patternsOf(t *testing.T, texts ...string) []Pattern {
	t.Helper()
	var all []Pattern
	for _, text := range texts {
		p, err := NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// A quota goes by its user, else by its client id, else by its address.
func TestQuotasSelects(t *testing.T) {
	type entity struct{ user, client, ip string } // "<default>": the default; "=<default>": called so
	part := func(text string) Quoted {
		name, called := strings.CutPrefix(text, "=")
		if text == defaultEntity && !called {
			return Quoted{Default: true}
		}
		return Quoted{Name: name}
	}
	for _, c := range []struct {
		include string
		of      entity
		want    bool
	}{
		{"User:orders-*", entity{user: "orders-a"}, true},
		{"User:orders-*", entity{user: "orders-a", client: "x"}, true},
		{"User:orders-*", entity{user: "billing"}, false},
		{"User:orders-*", entity{client: "User:orders-a"}, true}, // a client id may be called so
		{"User:orders-*", entity{user: "<default>"}, false},
		{"User:*", entity{user: "<default>"}, true},
		{"<default>", entity{user: "<default>"}, true},
		{"<default>", entity{client: "<default>"}, true},
		{"<default>", entity{ip: "<default>"}, true},
		{"<default>", entity{user: "billing", client: "<default>"}, false},
		{"<default>", entity{user: "=<default>"}, false},
		{"<default>", entity{client: "=<default>"}, false},
		{"User:<default>", entity{user: "=<default>"}, true},
		{"User:*", entity{user: "=<default>"}, true},
		{"app", entity{client: "app"}, true},
		{"app", entity{user: "billing", client: "app"}, false},
		{"10.0.*", entity{ip: "10.0.0.7"}, true},
		{"*", entity{}, false},
	} {
		q := &Quotas{Include: patternsOf(t, c.include)}
		if got := q.Selects(part(c.of.user), part(c.of.client), part(c.of.ip)); got != c.want {
			t.Errorf("%s selects %+v: %v", c.include, c.of, got)
		}
	}
	if (*Quotas)(nil).Selects(Quoted{Name: "a"}, Quoted{}, Quoted{}) {
		t.Error("no block selects something")
	}
}

func TestACLsSelects(t *testing.T) {
	a := &ACLs{Include: patternsOf(t, "User:orders-*"), Becomes: map[string]string{"User:orders-a": "User:b"}}
	if !a.Selects("User:orders-a") || a.Selects("User:*") || a.Selects("User:b") {
		t.Error("selects others than include says")
	}
	if a.OnTarget("User:orders-a") != "User:b" || a.OnTarget("User:orders-c") != "User:orders-c" {
		t.Error("called otherwise than the plan says")
	}
	var none *ACLs
	if none.Selects("User:orders-a") || none.OnTarget("User:x") != "User:x" {
		t.Error("no block selects something")
	}
}
