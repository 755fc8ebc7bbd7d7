package kafkatest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"kplan/internal/embedded/certs"
)

// properties are a Java properties file.
type properties map[string]string

// write writes them sorted. Line breaks, as in PEM, become escapes.
func (p properties) write(path string) error {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, escape.Replace(p[k]))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// server returns what both versions' brokers share: few and small threads and
// internal topics, so that a broker is up soon.
func (o Options) server(n *node, identity certs.Pair, authority []byte) properties {
	var listeners, protocols []string
	for _, l := range o.Listeners {
		listeners = append(listeners, fmt.Sprintf("%s://127.0.0.1:%d", l, n.ports[l]))
		protocols = append(protocols, fmt.Sprintf("%s:%s", l, l))
	}
	advertised := slices.Clone(listeners)
	for _, l := range o.Named {
		host := l.Advertise
		if host == "" {
			host = "127.0.0.1"
		}
		listeners = append(listeners, fmt.Sprintf("%s://127.0.0.1:%d", l.Name, n.ports[l.Name]))
		advertised = append(advertised, fmt.Sprintf("%s://%s:%d", l.Name, host, n.ports[l.Name]))
		protocols = append(protocols, fmt.Sprintf("%s:%s", l.Name, l.Protocol))
	}
	replicas := fmt.Sprint(o.Brokers)
	p := properties{
		"listeners":                                                   strings.Join(listeners, ","),
		"advertised.listeners":                                        strings.Join(advertised, ","),
		"listener.security.protocol.map":                              strings.Join(protocols, ","),
		"inter.broker.listener.name":                                  string(Plaintext),
		"log.dirs":                                                    n.data,
		"offsets.topic.num.partitions":                                "5",
		"offsets.topic.replication.factor":                            replicas,
		"transaction.state.log.num.partitions":                        "5",
		"transaction.state.log.replication.factor":                    replicas,
		"transaction.state.log.min.isr":                               fmt.Sprint(min(o.Brokers, 2)),
		"group.initial.rebalance.delay.ms":                            "0",
		"auto.create.topics.enable":                                   "false",
		"num.network.threads":                                         "2",
		"num.io.threads":                                              "4",
		"background.threads":                                          "2",
		"log.cleaner.dedupe.buffer.size":                              "4194304",
		"controlled.shutdown.max.retries":                             "1",
		"controlled.shutdown.retry.backoff.ms":                        "500",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
	}
	if slices.ContainsFunc(o.protocols(), Listener.tls) {
		maps.Copy(p, properties{
			"ssl.keystore.type":              "PEM",
			"ssl.keystore.key":               string(identity.KeyPEM),
			"ssl.keystore.certificate.chain": string(identity.CertPEM),
			"ssl.truststore.type":            "PEM",
			"ssl.truststore.certificates":    string(authority),
			"ssl.client.auth":                "none",
		})
		if o.ClientAuth {
			p["listener.name.ssl.ssl.client.auth"] = "required"
		}
	}
	if slices.ContainsFunc(o.protocols(), Listener.sasl) {
		o.sasl(p)
	}
	if len(o.Racks) > 0 {
		p["broker.rack"] = o.Racks[n.id-1]
	}
	for _, l := range o.Named {
		if l.Identity == nil {
			continue
		}
		prefix := "listener.name." + strings.ToLower(string(l.Name)) + "."
		p[prefix+"ssl.keystore.type"] = "PEM"
		p[prefix+"ssl.keystore.key"] = string(l.Identity.KeyPEM)
		p[prefix+"ssl.keystore.certificate.chain"] = string(l.Identity.CertPEM)
	}
	return p
}

// protocols are those of all listeners.
func (o Options) protocols() []Listener {
	all := slices.Clone(o.Listeners)
	for _, l := range o.Named {
		all = append(all, l.Protocol)
	}
	return all
}

func (o Options) sasl(p properties) {
	p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
	plain := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	for _, u := range o.Users {
		plain += fmt.Sprintf(` user_%s="%s"`, u.Name, u.Password)
	}
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	logins := slices.DeleteFunc(slices.Clone(o.Listeners), func(l Listener) bool { return !l.sasl() })
	for _, l := range o.Named {
		if l.Protocol.sasl() {
			logins = append(logins, l.Name)
		}
	}
	for _, l := range logins {
		prefix := "listener.name." + strings.ToLower(string(l)) + "."
		p[prefix+"plain.sasl.jaas.config"] = plain + ";"
		p[prefix+"scram-sha-256.sasl.jaas.config"] = scram
		p[prefix+"scram-sha-512.sasl.jaas.config"] = scram
	}
}

// authorizer adds what makes a broker or controller enforce ACLs.
func (o Options) authorizer(p properties, class string) {
	if !o.Authorizer {
		return
	}
	super := []string{"User:ANONYMOUS"}
	for _, u := range o.Users {
		if u.Super {
			super = append(super, "User:"+u.Name)
		}
	}
	p["authorizer.class.name"] = class
	p["super.users"] = strings.Join(super, ";")
}
