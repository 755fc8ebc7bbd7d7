package kafkatest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kplan/internal/embedded/certs"
)

// Listener is a listener by the name of its protocol.
type Listener string

// The listeners. Plaintext is always there: the brokers talk to each other on
// it.
const (
	Plaintext     Listener = "PLAINTEXT"
	TLS           Listener = "SSL"
	SASLPlaintext Listener = "SASL_PLAINTEXT"
	SASLTLS       Listener = "SASL_SSL"
)

func (l Listener) tls() bool  { return l == TLS || l == SASLTLS }
func (l Listener) sasl() bool { return l == SASLPlaintext || l == SASLTLS }

// User may log in on the SASL listeners by PLAIN, SCRAM-SHA-256 and
// SCRAM-SHA-512.
type User struct {
	Name     string // letters, digits, dash, underscore, dot
	Password string // the same, for it is written into several kinds of files
	Super    bool   // not bound by ACLs
}

// Options describe a cluster. The zero value is not one: a version is needed.
type Options struct {
	Version   Version
	Brokers   int        // 1 or 3; zero means 1
	Listeners []Listener // besides Plaintext
	Users     []User     // needed by SASL listeners
	ClusterID string     // 4.3.0 only; empty means a random one

	// ClientAuth makes the SSL listener demand a client certificate.
	ClientAuth bool
	// Authorizer makes the brokers enforce ACLs; anonymous clients of the
	// plaintext listener are super users, since the brokers are.
	Authorizer bool

	// Named are further listeners, each by a name of its own. Start does not ask
	// whether they work: they may be broken on purpose.
	Named []NamedListener

	// ExtraProperties go into every broker's server.properties, over what
	// this package writes there.
	ExtraProperties map[string]string
	// Racks is broker.rack of each broker, the first one's first.
	Racks []string
	// SystemProperties are given to every JVM with -D.
	SystemProperties map[string]string
	// JVM is given to every JVM, behind this package's own flags, which make it
	// small and quick to start: a measurement wants what a server has.
	JVM []string

	choose func(n int) ([]int, error) // ports; freePorts but for tests of this package
	teach  string                     // the JVM's flag by which a broker writes its classes down; empty: it starts from an archive
}

// NamedListener is a listener beside those of the protocols' own names.
type NamedListener struct {
	Name      Listener    // capital letters
	Protocol  Listener    // one of those above
	Identity  *certs.Pair // what it presents; nil: the same as the others
	Advertise string      // the host that it advertises; empty: 127.0.0.1
}

func (o Options) withDefaults() Options {
	if o.Brokers == 0 {
		o.Brokers = 1
	}
	all := []Listener{Plaintext}
	for _, l := range o.Listeners {
		if !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	o.Listeners = all
	return o
}

func (o Options) validate() error {
	var errs []error
	if _, err := o.Version.family(); err != nil {
		errs = append(errs, err)
	}
	if o.Brokers != 1 && o.Brokers != 3 {
		errs = append(errs, fmt.Errorf("%d brokers: want 1 or 3", o.Brokers))
	}
	if len(o.Racks) != 0 && len(o.Racks) != o.Brokers {
		errs = append(errs, fmt.Errorf("%d racks for %d brokers", len(o.Racks), o.Brokers))
	}
	if o.ClusterID != "" && !o.Version.kraft() {
		errs = append(errs, fmt.Errorf("cluster id %q: ZooKeeper gives Kafka %s its id; leave it out", o.ClusterID, o.Version))
	}
	sasl := false
	for _, l := range o.Listeners {
		switch l {
		case Plaintext, TLS, SASLPlaintext, SASLTLS:
		default:
			errs = append(errs, fmt.Errorf("listener %q: want PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", l))
		}
		sasl = sasl || l.sasl()
	}
	for _, l := range o.Named {
		sasl = sasl || l.Protocol.sasl()
		if strings.Trim(string(l.Name), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || l.Name == "" {
			errs = append(errs, fmt.Errorf("listener %q: its name may hold capital letters only", l.Name))
		}
	}
	if sasl && len(o.Users) == 0 {
		errs = append(errs, errors.New("a SASL listener without users"))
	}
	for _, u := range o.Users {
		if !plainWord(u.Name) || !plainWord(u.Password) {
			errs = append(errs, fmt.Errorf("user %q: name and password may hold letters, digits, dashes, underscores and dots", u.Name))
		}
	}
	return errors.Join(errs...)
}

func plainWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
