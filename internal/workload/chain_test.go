package workload_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/workload"
)

// The whole way that production_first goes, with every service stopped and
// started under load on the way.
func TestMoveUnderLoad(t *testing.T) {
	t.Parallel()
	b := setUp(t, chain(), bothSides(t))
	for _, s := range []string{"C", "P", "A"} {
		b.start(s, cluster.Source)
	}
	b.start("A", cluster.Source) // idempotent
	b.awaitReceived("c", "t2", 300)
	for _, s := range []string{"P", "C", "A", "P", "C"} {
		b.stop(s, cluster.Source)
		b.start(s, cluster.Source)
		b.awaitReceived("c", "t2", 100)
	}
	b.stop("A", cluster.Source)
	b.stop("A", cluster.Source) // idempotent
	b.awaitConsumed()
	for _, s := range []string{"P", "C"} {
		b.stop(s, cluster.Source)
	}
	for _, s := range []string{"C", "P", "A"} {
		b.start(s, cluster.Target)
	}
	b.awaitReceived("c", "t2", 300)
	if sides, err := b.c.Check("A"); err != nil || cmp.Diff([]cluster.Side{cluster.Target}, sides) != "" {
		t.Errorf("A runs on %v (%v), want target", sides, err)
	}
	b.stop("A", cluster.Target)
	b.awaitConsumed()
	b.stop("P", cluster.Target)
	b.stop("C", cluster.Target)
	r := b.wantClean()
	var pauses []string
	for _, p := range r.Pauses {
		pauses = append(pauses, p.Service+" "+p.What)
		if p.Longest <= 0 || p.Start.IsZero() {
			t.Errorf("pause %+v has no length or start", p)
		}
	}
	if diff := cmp.Diff([]string{"A produced", "C received", "P produced", "P received"}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
}

// The same readers on both clusters at once, as production_later has it.
func TestBothSidesAtOnce(t *testing.T) {
	t.Parallel()
	b := setUp(t, chain(), bothSides(t))
	for _, s := range []string{"C", "P"} {
		b.start(s, cluster.Source)
		b.start(s, cluster.Target)
	}
	b.start("A", cluster.Source)
	b.awaitReceived("c", "t2", 200)
	if err := b.c.Start(t.Context(), "A", cluster.Target); err == nil || !strings.Contains(err.Error(), "already runs on the other side") {
		t.Errorf("a second producer: %v, want a refusal", err)
	}
	if sides, err := b.c.Check("C"); err != nil || cmp.Diff([]cluster.Side{cluster.Source, cluster.Target}, sides) != "" {
		t.Errorf("C runs on %v (%v), want both", sides, err)
	}
	b.stop("A", cluster.Source)
	b.start("A", cluster.Target)
	b.awaitReceived("c", "t2", 200)
	b.stop("A", cluster.Target)
	b.awaitConsumed()
	for _, s := range []string{"P", "C"} {
		b.stop(s, cluster.Source)
		b.stop(s, cluster.Target)
	}
	if r := b.prove(); !r.CleanPerCluster() {
		t.Errorf("not clean: %v", r.Sentences())
	}
}

// What happens without a placement: the reader starts at the log's end and the
// records before it are lost to it. If this is not seen, no proof is worth
// anything.
func TestLatestLosesWithoutPlacement(t *testing.T) {
	t.Parallel()
	b := setUp(t, chain(), bothSides(t))
	b.start("P", cluster.Target)
	b.start("A", cluster.Target)
	b.awaitReceived("p", "t1", 100)
	b.start("C", cluster.Target)
	b.awaitReceived("c", "t2", 100)
	b.stop("A", cluster.Target)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := workload.AwaitConsumed(ctx, b.dir); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "topic t2 for group c") {
		t.Errorf("waiting for records that nobody will get: %v", err)
	}
	b.stop("P", cluster.Target)
	b.stop("C", cluster.Target)
	r := b.prove()
	if r.CleanPerCluster() || len(r.Sentences()) != 1 || !strings.Contains(r.Sentences()[0], "Topic t2, group c: ") || !strings.Contains(r.Sentences()[0], "lost, such as key P/A-0") {
		t.Errorf("sentences %q, want one that names what was lost", r.Sentences())
	}
}

func TestSecuredConnections(t *testing.T) {
	t.Parallel()
	users := []embedded.User{
		{Mechanism: embedded.Plain, Name: "plain", Password: "secret-1"},
		{Mechanism: embedded.ScramSHA256, Name: "s256", Password: "secret-2"},
		{Mechanism: embedded.ScramSHA512, Name: "s512", Password: "secret-3"},
	}
	o := topics()
	o.TLS, o.Users = true, users
	broker := startCluster(t, o)
	ca, err := broker.Authority()
	if err != nil {
		t.Fatal(err)
	}
	services := workload.Services{Services: []workload.Service{
		{Name: "A", Role: workload.Producer, Produces: []string{"t1"}, Rate: 100, Keys: 3},
	}}
	for _, u := range users {
		b := setUp(t, services, map[cluster.Side]workload.Connection{cluster.Source: {
			Bootstrap: broker.Bootstrap(),
			TLS:       &workload.TLS{CAFile: "ca.pem"},
			SASL:      &workload.SASL{Mechanism: string(u.Mechanism), Username: u.Name, Password: u.Password},
		}})
		if err := ca.WriteFile(filepath.Join(b.dir, "ca.pem")); err != nil {
			t.Fatal(err)
		}
		b.start("A", cluster.Source)
		b.stop("A", cluster.Source)
		b.wantClean()
	}
}

func TestStartThatCannotWork(t *testing.T) {
	t.Parallel()
	sides := bothSides(t)
	sides[cluster.Source] = workload.Connection{Bootstrap: []string{"127.0.0.1:1"}}
	services := chain()
	services.Services = append(services.Services, workload.Service{
		Name: "lost", Role: workload.Producer, Produces: []string{"no-such-topic"}, Rate: 10, Keys: 1,
	})
	b := setUp(t, services, sides)
	b.c.ReadyTimeout = 3 * time.Second
	for _, x := range []struct {
		service string
		side    cluster.Side
		want    string
	}{
		{"A", cluster.Source, "connecting the producer to [127.0.0.1:1]"},
		{"lost", cluster.Target, "did not get ready"},
		{"nobody", cluster.Source, `no service "nobody"`},
	} {
		err := b.c.Start(t.Context(), x.service, x.side)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("starting %s: %v, want %q in it", x.service, err, x.want)
		}
	}
	if sides, err := b.c.Check("lost"); err != nil || len(sides) > 0 {
		t.Errorf("a service that did not get ready runs on %v (%v)", sides, err)
	}
}
