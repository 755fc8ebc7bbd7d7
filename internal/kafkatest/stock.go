package kafkatest

// Password is that of every user of the stock clusters.
const Password = "stock-secret-4711"

// SuperUser is not bound by ACLs on a guarded cluster.
const SuperUser = "mover"

// Users of the stock clusters that ACLs bind, for the tests' parts: kplan with
// the least rights, services, an onlooker.
const LeastUser = "least"

func stockUsers() []User {
	users := []User{{Name: SuperUser, Password: Password, Super: true}}
	for _, name := range []string{LeastUser, "guest", "kplan", "shop", "pricing", "billing", "audit"} {
		users = append(users, User{Name: name, Password: Password})
	}
	return users
}

// Relogin is a SASL_SSL listener of the stock clusters on which a connection has
// to log in again within seconds (KIP-368).
const Relogin Listener = "RELOGIN"

// Stock is one broker that asks its clients for no rights, with a plaintext, a
// SASL_SSL and the Relogin listener. Most tests share it.
func Stock(v Version) Options {
	return Options{
		Version: v, Brokers: 1, Listeners: []Listener{Plaintext, SASLTLS}, Users: stockUsers(),
		Named:           []NamedListener{{Name: Relogin, Protocol: SASLTLS}},
		ExtraProperties: map[string]string{"listener.name.relogin.connections.max.reauth.ms": "4000"},
	}
}

// Guarded is one broker, or three in two racks, with an authorizer.
func Guarded(v Version, brokers int) Options {
	o := Options{Version: v, Brokers: brokers, Listeners: []Listener{Plaintext, SASLTLS}, Users: stockUsers(), Authorizer: true}
	if brokers == 3 {
		o.Racks = []string{"zone-a", "zone-a", "zone-b"}
	}
	return o
}
