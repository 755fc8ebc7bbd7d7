package kafka_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/plan"
)

// A broker that advertises an address where nobody listens is named; the others
// are said to answer. A further address of bootstrap is asked as well.
func TestProbe(t *testing.T) {
	c, other := start(t, embedded.Options{Brokers: 3, Advertise: map[int]string{2: "broker-2.invalid"}}), start(t, embedded.Options{})
	if err := c.Kill(1); err != nil {
		t.Fatal(err)
	}
	l := kafka.Probe(t.Context(), endpoint.Endpoint{Cluster: "old", Bootstrap: append(c.Bootstrap(), other.Bootstrap()...)})
	if l.ClusterID != c.ClusterID() || l.Cluster != "old" || l.TLS || l.Mechanism != "" || len(l.Contacts) != 5 {
		t.Fatalf("%+v", l)
	}
	for i, want := range []struct {
		broker int32
		stage  cluster.Stage
		why    string
	}{
		{0, cluster.NoStage, ""},
		{1, cluster.StageReach, "nothing answers there"},
		{2, cluster.StageReach, `the name "broker-2.invalid" cannot be resolved`},
		{-1, cluster.NoStage, ""}, // where broker 2 listens, and which it does not advertise
		{-1, cluster.StageReach, "belongs to another cluster (id " + other.ClusterID()},
	} {
		got := l.Contacts[i]
		if got.Broker != want.broker || got.Failed != want.stage || !strings.Contains(got.Why, want.why) || (got.Do == "") != (want.why == "") {
			t.Errorf("contact %d: %+v", i, got)
		}
	}
}

// Nobody answers: the addresses of bootstrap say why.
func TestProbeOfNobody(t *testing.T) {
	c := start(t, embedded.Options{})
	if err := c.Kill(0); err != nil {
		t.Fatal(err)
	}
	l := kafka.Probe(t.Context(), endpoint.Endpoint{Cluster: "old", Bootstrap: c.Bootstrap()})
	if l.ClusterID != "" || len(l.Contacts) != 1 || l.Contacts[0].Broker != -1 || l.Contacts[0].Failed != cluster.StageReach {
		t.Errorf("%+v", l)
	}
}

// What a listener presents is shown, whether it is trusted or not.
func TestProbeOfTLS(t *testing.T) {
	c := start(t, embedded.Options{TLS: true, Users: []embedded.User{{Mechanism: embedded.Plain, Name: "kplan", Password: "right"}}})
	ca, err := c.Authority()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := start(t, embedded.Options{TLS: true}).Authority()
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]struct {
		conf     *tls.Config
		password string
		want     cluster.Stage
	}{
		"right":          {&tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}, "right", cluster.NoStage},
		"wrong CA":       {&tls.Config{RootCAs: stranger.Pool(), MinVersion: tls.VersionTLS12}, "right", cluster.StageTLS},
		"wrong host":     {&tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12, ServerName: "kafka.example"}, "right", cluster.StageTLS},
		"wrong password": {&tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}, "wrong", cluster.StageLogin},
	} {
		t.Run(name, func(t *testing.T) {
			l := kafka.Probe(t.Context(), endpoint.Endpoint{
				Cluster: "new", Bootstrap: c.Bootstrap(), TLS: try.conf,
				SASL: &plan.SASL{Mechanism: "PLAIN", Username: "kplan", Password: plan.NewSecret(try.password)},
			})
			got := l.Contacts[0]
			if len(l.Contacts) != 1 || got.Failed != try.want || !l.TLS || l.Mechanism != "PLAIN" {
				t.Fatalf("%+v", l)
			}
			if len(got.Certificates) == 0 || got.Certificates[0].Subject != "CN=broker" || !strings.Contains(got.Certificates[0].Issuer, "embedded cluster") ||
				len(got.Certificates[0].Names) != 2 || time.Until(got.Certificates[0].NotAfter) < 80*24*time.Hour {
				t.Errorf("presented: %+v", got.Certificates)
			}
		})
	}
}

// Real brokers tell about themselves what their version can.
func TestNodesOfRealBrokers(t *testing.T) {
	for _, v := range []kafkatest.Version{kafkatest.V4_3_0, kafkatest.V2_8_2} {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			r := onReal(t, v, kafkatest.SASLTLS)
			topic := r.topic(t, 1, nil)
			produce(t, r.another(t, byHand()), tp(topic, 0), 10)
			nodes, err := r.client.Nodes(t.Context(), func(name string) bool { return name == topic })
			if err != nil || len(nodes) != 1 {
				t.Fatalf("%+v, %v", nodes, err)
			}
			n := nodes[0]
			if n.NoConfig != "" || n.NoDisk != "" || len(n.Requests) < 50 {
				t.Errorf("refused: %q, %q; %d requests", n.NoConfig, n.NoDisk, len(n.Requests))
			}
			if n.Disk.Logs[tp(topic, 0)] == 0 || len(n.Disk.Logs) != 1 || n.Disk.Used < n.Disk.Logs[tp(topic, 0)] {
				t.Errorf("logs: %+v", n.Disk)
			}
			if tells := n.Disk.Usable > 0; tells != (v == kafkatest.V4_3_0) || n.Disk.Usable == 0 {
				t.Errorf("usable: %d", n.Disk.Usable)
			}
			if n.Configs["message.max.bytes"].Value == "" || n.Configs["offsets.retention.minutes"].Value == "" || n.Configs["transaction.max.timeout.ms"].Value == "" {
				t.Errorf("configs: %+v", n.Configs)
			}
			if _, kraft := n.Features["metadata.version"]; kraft != (v == kafkatest.V4_3_0) {
				t.Errorf("features: %v", n.Features)
			}
			t.Logf("%s: features %v, fetch %v, zookeeper %q, roles %q", v, n.Features, n.Requests[1], n.Configs["zookeeper.connect"].Value, n.Configs["process.roles"].Value)
		})
	}
}

// The embedded broker tells of its disk before it has a topic and after.
func TestNodesOfEmbeddedBrokers(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	look := func() cluster.Node {
		t.Helper()
		nodes, err := r.client.Nodes(t.Context(), func(string) bool { return true })
		if err != nil || len(nodes) != 1 {
			t.Fatalf("%+v, %v", nodes, err)
		}
		return nodes[0]
	}
	if n := look(); n.NoDisk != "" || n.Disk.Usable <= 0 || len(n.Disk.Logs) != 0 {
		t.Errorf("before: %+v", n)
	}
	topic := r.topic(t, 1, nil)
	produce(t, r.another(t, byHand()), tp(topic, 0), 3)
	if n := look(); n.NoDisk != "" || n.Disk.Usable <= 0 || n.Disk.Logs[tp(topic, 0)] == 0 {
		t.Errorf("after: %+v", n)
	}
}
