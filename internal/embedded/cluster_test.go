package embedded_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kplan/internal/embedded"
	"kplan/internal/embedded/certs"
)

func start(t *testing.T, o embedded.Options) *embedded.Cluster {
	t.Helper()
	c, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// metadata asks the given brokers alone, with a limit.
func metadata(t *testing.T, seeds []string, opts ...kgo.Opt) (*kmsg.MetadataResponse, error) {
	t.Helper()
	opts = append(opts, kgo.SeedBrokers(seeds...), kgo.RetryTimeout(3*time.Second), kgo.RequestRetries(1))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	return req.RequestWith(ctx, client)
}

func TestStartPlain(t *testing.T) {
	c := start(t, embedded.Options{Brokers: 3, ClusterID: "test-id", Topics: map[string]int32{"t": 5}})
	resp, err := metadata(t, c.Bootstrap())
	if err != nil {
		t.Fatal(err)
	}
	type seen struct {
		ClusterID  string
		Brokers    int
		Partitions int
	}
	got := seen{*resp.ClusterID, len(resp.Brokers), len(resp.Topics[0].Partitions)}
	if diff := cmp.Diff(seen{"test-id", 3, 5}, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("test-id", c.ClusterID()); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Authority(); !errors.Is(err, embedded.ErrNoTLS) {
		t.Errorf("authority of a plaintext cluster: %v, want ErrNoTLS", err)
	}
}

func TestClusterIDsDiffer(t *testing.T) {
	a, b := start(t, embedded.Options{}), start(t, embedded.Options{})
	if a.ClusterID() == b.ClusterID() || len(a.ClusterID()) != 22 {
		t.Errorf("cluster ids %q and %q: want two different ones of 22 characters", a.ClusterID(), b.ClusterID())
	}
}

func TestAdvertise(t *testing.T) {
	c := start(t, embedded.Options{Brokers: 2, Advertise: map[int]string{1: "broker-1.invalid"}})
	resp, err := metadata(t, c.Bootstrap()[:1])
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[int32]string{}
	for _, b := range resp.Brokers {
		hosts[b.NodeID] = b.Host
	}
	if diff := cmp.Diff(map[int32]string{0: "127.0.0.1", 1: "broker-1.invalid"}, hosts); diff != "" {
		t.Errorf("advertised (-want +got):\n%s", diff)
	}
	// It still listens where Bootstrap says.
	if _, err := metadata(t, c.Bootstrap()[1:]); err != nil {
		t.Errorf("broker 1 does not answer at its own address: %v", err)
	}
}

func TestKill(t *testing.T) {
	c := start(t, embedded.Options{Brokers: 2})
	conn, err := net.Dial("tcp", c.Bootstrap()[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := c.Kill(1); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(1); err != nil {
		t.Errorf("killing again: %v", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout") {
		t.Errorf("an open connection survived: %v", err)
	}
	if again, err := net.Dial("tcp", c.Bootstrap()[1]); err == nil {
		again.Close()
		t.Error("a killed broker takes connections")
	}
	resp, err := metadata(t, c.Bootstrap()[:1])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(2, len(resp.Brokers)); diff != "" {
		t.Errorf("brokers that the survivor names (-want +got):\n%s", diff)
	}
	if err := c.Kill(7); err == nil {
		t.Error("killing a broker that does not exist succeeded")
	}
}

func TestSASL(t *testing.T) {
	c := start(t, embedded.Options{Users: []embedded.User{
		{Mechanism: embedded.Plain, Name: "p", Password: "secret-p"},
		{Mechanism: embedded.ScramSHA256, Name: "s", Password: "secret-s"},
		{Mechanism: embedded.ScramSHA512, Name: "k", Password: "secret-k"},
	}})
	for name, opt := range map[string]kgo.Opt{
		"PLAIN":         kgo.SASL(plain.Auth{User: "p", Pass: "secret-p"}.AsMechanism()),
		"SCRAM-SHA-256": kgo.SASL(scram.Auth{User: "s", Pass: "secret-s"}.AsSha256Mechanism()),
		"SCRAM-SHA-512": kgo.SASL(scram.Auth{User: "k", Pass: "secret-k"}.AsSha512Mechanism()),
	} {
		if _, err := metadata(t, c.Bootstrap(), opt); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, opt := range map[string]kgo.Opt{
		"PLAIN with a wrong password":         kgo.SASL(plain.Auth{User: "p", Pass: "wrong"}.AsMechanism()),
		"SCRAM-SHA-512 with a wrong password": kgo.SASL(scram.Auth{User: "k", Pass: "wrong"}.AsSha512Mechanism()),
		"SCRAM-SHA-256 with an unknown user":  kgo.SASL(scram.Auth{User: "x", Pass: "wrong"}.AsSha256Mechanism()),
	} {
		if _, err := metadata(t, c.Bootstrap(), opt); !errors.Is(err, kerr.SaslAuthenticationFailed) {
			t.Errorf("%s gives %v, want SASL_AUTHENTICATION_FAILED", name, err)
		}
	}
}

func TestMutualTLS(t *testing.T) {
	c := start(t, embedded.Options{TLS: true, ClientAuth: true})
	ca, err := c.Authority()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(certs.Request{CommonName: "client", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := metadata(t, c.Bootstrap(), kgo.DialTLSConfig(&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{cert}})); err != nil {
		t.Errorf("with a client certificate: %v", err)
	}
	if _, err := metadata(t, c.Bootstrap(), kgo.DialTLSConfig(&tls.Config{RootCAs: ca.Pool()})); err == nil {
		t.Error("without a client certificate the broker answers")
	}
	if _, err := metadata(t, c.Bootstrap()); err == nil {
		t.Error("a plaintext client gets an answer from a TLS listener")
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for want, o := range map[string]embedded.Options{
		"want one or more":  {Brokers: -1},
		"set TLS too":       {ClientAuth: true},
		"mechanism":         {Users: []embedded.User{{Mechanism: "GSSAPI", Name: "x"}}},
		"ACLs without":      {ACLs: true},
		"numbered 0 to 0":   {Advertise: map[int]string{1: "x"}},
		"write it like 2.8": {Version: "nonsense"},
	} {
		c, err := embedded.Start(o)
		if err == nil {
			c.Close()
			t.Errorf("%+v started", o)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", o, err, want)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	c := start(t, embedded.Options{})
	addr := c.Bootstrap()[0]
	c.Close()
	c.Close()
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("a closed cluster takes connections")
	}
}

// A TLS client at a plaintext listener must see the end at once, as it does at
// a real broker, not a broker that waits for the rest of a huge request.
func TestTLSClientAtPlaintextListener(t *testing.T) {
	c := start(t, embedded.Options{})
	conn, err := net.Dial("tcp", c.Bootstrap()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	if err == nil || ctx.Err() != nil {
		t.Errorf("handshake: %v (context: %v), want a closed connection", err, ctx.Err())
	}
}
