package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kplan/internal/embedded"
	"kplan/internal/embedded/certs"
	"kplan/internal/kafkatest"
	"kplan/internal/workload"
)

// broken are listeners of a real broker that each miss one prerequisite.
func broken(t *testing.T) ([]kafkatest.NamedListener, *certs.Authority) {
	t.Helper()
	ours, err := certs.NewAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	hosts := []string{"localhost", "127.0.0.1"}
	issue := func(make func(certs.Request) (certs.Pair, error), r certs.Request) *certs.Pair {
		t.Helper()
		pair, err := make(r)
		if err != nil {
			t.Fatal(err)
		}
		return &pair
	}
	good := issue(ours.Issue, certs.Request{CommonName: "broker", Hosts: hosts})
	return []kafkatest.NamedListener{
		{Name: "GOOD", Protocol: kafkatest.SASLTLS, Identity: good},
		{Name: "DEAD", Protocol: kafkatest.SASLTLS, Identity: good, Advertise: "127.0.0.2"},
		{Name: "NAMELESS", Protocol: kafkatest.SASLTLS, Identity: good, Advertise: "broker.invalid"},
		{Name: "SELFSIGNED", Protocol: kafkatest.SASLTLS, Identity: issue(certs.SelfSigned, certs.Request{CommonName: "broker", Hosts: hosts})},
		{Name: "WRONGHOST", Protocol: kafkatest.SASLTLS, Identity: issue(ours.Issue, certs.Request{CommonName: "elsewhere", Hosts: []string{"kafka.example"}})},
		{Name: "EXPIRED", Protocol: kafkatest.SASLTLS, Identity: issue(ours.Issue, certs.Request{CommonName: "old broker", Hosts: hosts, Valid: -time.Hour})},
		{Name: "ENDING", Protocol: kafkatest.SASLTLS, Identity: issue(ours.Issue, certs.Request{CommonName: "broker", Hosts: hosts, Valid: 10 * 24 * time.Hour})},
	}, ours
}

// The example with two listeners runs on real brokers; before, each of its
// prerequisites is broken in turn and found, by its check and with a reason.
func TestTwoListenersOnRealBrokers(t *testing.T) {
	t.Parallel()
	named, ours := broken(t)
	users := []kafkatest.User{{Name: saslUser, Password: saslPassword, Super: true}}
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := kafkatest.Start(t, kafkatest.Options{
		Version: kafkatest.V4_3_0, Listeners: []kafkatest.Listener{kafkatest.SASLTLS}, Users: users, Named: named,
		ExtraProperties: map[string]string{"broker.rack": "a"},
	})
	small := fake(t, embedded.Options{Brokers: 2}) // a source with more brokers
	s := newScenario(t, scenarioOptions{
		example: "two-listeners", name: "two", rate: 100,
		source: end{conn: workload.Connection{Bootstrap: source.Bootstrap(kafkatest.Plaintext)}},
		target: end{conn: workload.Connection{Bootstrap: target.Bootstrap(kafkatest.Plaintext)}},
	})
	ca := filepath.Join(t.TempDir(), "ours.pem")
	if err := ours.WriteFile(ca); err != nil {
		t.Fatal(err)
	}
	list := func(addresses []string) string { return `["` + strings.Join(addresses, `", "`) + `"]` }
	on := func(l kafkatest.Listener) string { return "new_tls=" + list(target.Bootstrap(l)) }
	run := func(password string, code int, command string, vars ...string) string {
		t.Helper()
		args := []string{command}
		for _, v := range append([]string{"user=" + saslUser, "old_tls=" + list(source.Bootstrap(kafkatest.SASLTLS)), "old_ca=" + source.CAFile(t), "new_ca=" + ca, on("GOOD")}, vars...) {
			args = append(args, "--var", v)
		}
		if command == "apply" {
			args = append(args, "--yes")
		}
		got := s.kplan([]string{"KAFKA_PASSWORD=" + password}, args...)
		if got.code != code {
			t.Fatalf("kplan %s: exit code %d, want %d\n%s", strings.Join(args, " "), got.code, code, got.output)
		}
		return got.output
	}
	if out := run(saslPassword, exitDone, "probe"); strings.Count(out, "connect.tls") != 2 || strings.Count(out, "connect.sasl") != 2 {
		t.Errorf("not both listeners of both clusters:\n%s", out)
	}
	for _, c := range []struct {
		name, command, password string
		check, object, saw      string
		vars                    []string
	}{
		{"dead listener", "probe", "", "connect", "new/tls/1", "advertises 127.0.0.2:", []string{on("DEAD")}},
		{"unreachable name", "probe", "", "connect", "new/tls/1", `"broker.invalid" cannot be resolved`, []string{on("NAMELESS")}},
		{"self-signed", "probe", "", "connect.tls", "new/tls/127", "its certificate is self-signed", []string{on("SELFSIGNED")}},
		{"wrong host", "probe", "", "connect.tls", "new/tls/127", "presented CN=elsewhere for kafka.example", []string{on("WRONGHOST")}},
		{"wrong CA", "probe", "", "connect.tls", "new/tls/127", "an authority that the plan does not trust", []string{"new_ca=" + source.CAFile(t)}},
		{"expired", "probe", "", "connect.tls", "new/tls/127", "its certificate has expired", []string{on("EXPIRED")}},
		{"about to expire", "probe", "", "connect.expiry", "new/tls/1", "in 9 days", []string{on("ENDING")}},
		{"wrong password", "probe", "wrong", "connect.sasl", "new/tls/127", "the broker refuses the credentials", nil},
		{"TLS expected, plaintext", "probe", "", "connect.tls", "new/tls/127", "the port does not speak TLS", []string{on(kafkatest.Plaintext)}},
		{"another cluster's listener", "probe", "", "connect", "new/tls", "answers with cluster id", []string{"new_tls=" + strings.ReplaceAll(list(source.Bootstrap(kafkatest.SASLTLS)), "127.0.0.1", "localhost"), "new_ca=" + source.CAFile(t)}},
		{"found by verify too", "verify", "", "connect.tls", "new/tls/127", "its certificate has expired", []string{on("EXPIRED")}},
		{"fewer racks", "verify", "", "capacity.racks", "target", "1 racks: a", []string{"racks=2"}},
		{"fewer replicas than racks", "verify", "", "capacity.replicas", "target", "is to have 1 replicas", []string{"racks=2"}},
		{"disk too small by declaration", "verify", "", "capacity.disk", "target", "the plan declares 1 B", []string{"disk_bytes=1"}},
		{"fewer brokers", "verify", "", "capacity.brokers", "target", "1 brokers on the target, 2 on the source", []string{"old=" + list(small.conn.Bootstrap)}},
	} {
		if c.password == "" {
			c.password = saslPassword
		}
		if c.check == "capacity.disk" {
			s.start()
			s.flow(100)
		}
		out := run(c.password, exitDifferences, c.command, c.vars...)
		text := regexp.MustCompile(`\s*│\s*│\s*│\s*│\s*`).ReplaceAllString(out, " ")
		row := regexp.MustCompile(fmt.Sprintf(`FAIL\s+│ %s\s+│ %s`, regexp.QuoteMeta(c.check), regexp.QuoteMeta(c.object)))
		if !row.MatchString(text) || !strings.Contains(text, c.saw) {
			t.Errorf("%s: %s is not said to fail for %s with %q:\n%s", c.name, c.check, c.object, c.saw, out)
		}
	}
	run(saslPassword, exitDone, "apply")
	s.flow(100)
	run(saslPassword, exitDone, "verify")
	run(saslPassword, exitDifferences, "verify", "racks=2") // the replicas that are there share a rack
	if r := s.prove(); !r.Clean() {
		t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
	}
}
