package cluster

import (
	"cmp"
	"strconv"
	"strings"
)

// DefaultEntity is the name that stands for every user, client id or address
// that has no quota of its own, as kafka-configs --entity-default writes it.
const DefaultEntity = "<default>"

// EntityName writes a name into a field of QuotaEntity. One that could be taken
// for something else, such as a user who is called "<default>", is in quotes.
func EntityName(name string) string {
	if name == "" || strings.HasPrefix(name, "<") || strings.HasPrefix(name, `"`) {
		return strconv.Quote(name)
	}
	return name
}

// NameOf reads a field of QuotaEntity: a name, or the default of the kind.
func NameOf(field string) (name string, isDefault bool) {
	if field == DefaultEntity {
		return "", true
	}
	if plain, err := strconv.Unquote(field); err == nil && strings.HasPrefix(field, `"`) {
		return plain, false
	}
	return field, false
}

// QuotaEntity is whom a client quota is for (KIP-546). Empty fields are not
// part of it; DefaultEntity is the default of that kind, all others are as
// EntityName writes them. It is comparable.
type QuotaEntity struct {
	User     string `json:"user,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	IP       string `json:"ip,omitempty"` // from 2.8 (KIP-612)
}

// String is the entity as its parts: user=alice client-id=<default>.
func (e QuotaEntity) String() string {
	var parts []string
	for _, p := range []struct{ kind, name string }{{"user", e.User}, {"client-id", e.ClientID}, {"ip", e.IP}} {
		if p.name != "" {
			parts = append(parts, p.kind+"="+p.name)
		}
	}
	return strings.Join(parts, " ")
}

// Compare orders entities for printing.
func (e QuotaEntity) Compare(o QuotaEntity) int {
	return cmp.Or(cmp.Compare(e.User, o.User), cmp.Compare(e.ClientID, o.ClientID), cmp.Compare(e.IP, o.IP))
}

// Quota is what one entity may use: by key (producer_byte_rate,
// consumer_byte_rate, request_percentage, controller_mutation_rate,
// connection_creation_rate).
type Quota struct {
	Entity QuotaEntity        `json:"entity"`
	Values map[string]float64 `json:"values"`
}

// ScramUser is a user that a cluster knows by SCRAM (KIP-554). Brokers never
// tell the password, or the keys made of it.
type ScramUser struct {
	Name       string `json:"name"`
	Mechanism  string `json:"mechanism"` // SCRAM-SHA-256 or SCRAM-SHA-512
	Iterations int    `json:"iterations"`
}
