package embedded

import (
	"crypto/tls"
	"fmt"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Mechanism is a SASL mechanism by Kafka's name.
type Mechanism string

// The mechanisms that embedded brokers know.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
)

// User may log in by one mechanism. ACLs, where enabled, do not bind a Super
// user.
type User struct {
	Mechanism Mechanism
	Name      string
	Password  string
	Super     bool
}

// Options describe a cluster. The zero value is one plaintext broker.
type Options struct {
	Brokers   int    // zero means one
	ClusterID string // empty means a random one

	// TLS makes every listener speak TLS with a certificate for localhost
	// and 127.0.0.1, signed by an authority made for this cluster.
	TLS bool
	// ClientAuth makes every listener ask for a certificate of the same
	// authority (mTLS). It needs TLS.
	ClientAuth bool

	// Users turns SASL on; without users the listeners are anonymous.
	Users []User
	// ACLs makes the brokers enforce ACLs. It needs at least one Super user,
	// for otherwise nobody could write the first one.
	ACLs bool

	// Advertise replaces the host that the broker with this number (from
	// zero) advertises, such as "broker-1.invalid". The port stays.
	Advertise map[int]string

	// Version makes the brokers answer like an older Kafka, such as "2.8";
	// empty means everything that kfake can.
	Version string

	// Strict makes the brokers refuse what Apache Kafka 4.3 refuses of record
	// batches, with its codes; by themselves they take much of it. What a topic
	// demands is read from its own configs, not from the broker's.
	Strict bool

	// Configs are broker configs, as far as kfake simulates them.
	Configs map[string]string
	// Topics are created at the start: name and number of partitions.
	Topics map[string]int32
}

func (o Options) validate() error {
	if o.Brokers < 0 {
		return fmt.Errorf("%d brokers: want one or more", o.Brokers)
	}
	if o.ClientAuth && !o.TLS {
		return fmt.Errorf("ClientAuth without TLS: client certificates need a TLS listener; set TLS too")
	}
	super := false
	for _, u := range o.Users {
		switch u.Mechanism {
		case Plain, ScramSHA256, ScramSHA512:
		default:
			return fmt.Errorf("user %q has mechanism %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", u.Name, u.Mechanism)
		}
		super = super || u.Super
	}
	if o.ACLs && !super {
		return fmt.Errorf("ACLs without a Super user: nobody could grant anything; add one")
	}
	for node := range o.Advertise {
		if node < 0 || node >= max(o.Brokers, 1) {
			return fmt.Errorf("broker %d advertises a name, but brokers are numbered 0 to %d", node, max(o.Brokers, 1)-1)
		}
	}
	return nil
}

// fake translates the options to kfake's. TLS is not among them: the listeners
// are our own (see listener).
func (o Options) fake() ([]kfake.Opt, error) {
	opts := []kfake.Opt{
		kfake.NumBrokers(max(o.Brokers, 1)),
		kfake.ClusterID(o.ClusterID),
	}
	if len(o.Users) > 0 {
		opts = append(opts, kfake.EnableSASL())
	}
	for _, u := range o.Users {
		if u.Super {
			opts = append(opts, kfake.Superuser(string(u.Mechanism), u.Name, u.Password))
		} else {
			opts = append(opts, kfake.User(string(u.Mechanism), u.Name, u.Password))
		}
	}
	if o.ACLs {
		opts = append(opts, kfake.EnableACLs())
	}
	if o.Version != "" {
		v := kversion.FromString(o.Version)
		if v == nil {
			return nil, fmt.Errorf("kafka version %q is not known: write it like 2.8 or 3.9", o.Version)
		}
		opts = append(opts, kfake.MaxVersions(v))
	}
	if len(o.Configs) > 0 {
		opts = append(opts, kfake.BrokerConfigs(o.Configs))
	}
	for name, partitions := range o.Topics {
		opts = append(opts, kfake.SeedTopics(partitions, name))
	}
	return opts, nil
}

func (o Options) serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
}
