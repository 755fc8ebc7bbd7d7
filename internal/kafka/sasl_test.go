package kafka_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/plan"
)

// A broker of 4.3.0 validates tokens by the keys of their issuer: it checks
// signature, audience and issuer. A token that the broker does not want, and an
// issuer that gives none, are told apart; neither secret nor token is shown, not
// even to the client library's own log.
func TestOAuthBearerOnRealBrokers(t *testing.T) {
	const secret = "canary-of-the-client"
	issuer, stranger := kafkatest.StartIssuer(t, "kplan", secret), kafkatest.StartIssuer(t, "kplan", secret)
	o := kafkatest.Options{Version: kafkatest.V4_3_0, Users: []kafkatest.User{{Name: "unused", Password: "unused"}}}
	issuer.Listener("TOKENS", &o)
	c := kafkatest.Start(t, o)
	said := &spoken{}
	dir := t.TempDir()
	for name, of := range map[string]interface{ WriteFile(string) error }{"ca.pem": c.Authority(), "issuer.pem": issuer.Authority, "stranger.pem": stranger.Authority} {
		if err := of.WriteFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	resolve := func(from *kafkatest.Issuer, ca, secret string) endpoint.Endpoint {
		t.Helper()
		ep, err := endpoint.Own(dir, &plan.Cluster{Name: "new", Listener: plan.Listener{
			Bootstrap: c.Bootstrap("TOKENS"), TLS: &plan.TLS{CAFile: "ca.pem"},
			SASL: &plan.SASL{Mechanism: "OAUTHBEARER", OAuth: &plan.OAuth{
				TokenURL: from.URL, ClientID: "kplan", ClientSecret: plan.NewSecret(secret), Scopes: []string{"kafka"}, CAFile: ca,
			}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return ep
	}
	right := resolve(issuer, "issuer.pem", secret)
	client, err := kafka.Open(t.Context(), right, c.ClusterID())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // it has done its part
	if err := client.CreateTopic(t.Context(), cluster.TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	if got := kafka.Probe(t.Context(), right); len(got.Contacts) != 1 || got.Contacts[0].Failed != cluster.NoStage || got.Mechanism != "OAUTHBEARER" {
		t.Errorf("the probe: %+v", got)
	}
	if issuer.Asked() != 1 {
		t.Errorf("the issuer was asked %d times for %d connections, want once", issuer.Asked(), 3)
	}
	for name, try := range map[string]struct {
		ep   endpoint.Endpoint
		says string
	}{
		"wrong secret":   {resolve(issuer, "issuer.pem", "canary-wrong"), "no token to log in with: https://127.0.0.1:"},
		"another issuer": {resolve(stranger, "stranger.pem", secret), "the broker refuses the token"},
		"wrong CA":       {resolve(stranger, "issuer.pem", secret), "an authority that the plan does not trust"},
	} {
		_, err := kafka.Open(t.Context(), try.ep, "")
		if err == nil || !strings.Contains(err.Error(), try.says) {
			t.Errorf("%s: %v", name, err)
		}
		got := kafka.Probe(t.Context(), try.ep)
		if len(got.Contacts) != 1 || got.Contacts[0].Failed != cluster.StageLogin || !strings.Contains(got.Contacts[0].Why, try.says) {
			t.Errorf("%s, the probe: %+v", name, got)
		}
		said.write(err)
		said.write(got.Contacts[0].Why + got.Contacts[0].Do)
	}
	text := said.String() + library.String()
	if !strings.Contains(library.String(), "SASL") {
		t.Error("the client library logged nothing of the logins: its log proves nothing")
	}
	for _, canary := range append(append(issuer.Given(), stranger.Given()...), "canary") {
		if strings.Contains(text, canary) {
			t.Errorf("it shows %.40s", canary)
		}
	}
}

// library is what sarama logged in all tests; the program leaves its loggers
// silent.
var library spoken // several goroutines add to it

// overheard runs the tests with sarama's loggers on, and then looks for the
// passwords that they used.
func overheard(m *testing.M) int {
	sarama.Logger, sarama.DebugLogger = log.New(&library, "", 0), log.New(&library, "", 0)
	code := brokers.Main(m)
	if text := library.String(); strings.Contains(text, kafkatest.Password) {
		fmt.Fprintln(os.Stderr, "the client library logs a password")
		code = max(code, 1)
	}
	return code
}

// spoken keeps what was said, by several goroutines.
type spoken struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write keeps b.
func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

// String is everything that was said.
func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *spoken) write(what any) {
	switch what := what.(type) {
	case error:
		_, _ = s.Write([]byte(what.Error()))
	case string:
		_, _ = s.Write([]byte(what))
	}
}
