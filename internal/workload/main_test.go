package workload_test

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/workload"
)

// serviceCommand makes this test binary play a service process.
const serviceCommand = "workload-service"

func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == serviceCommand {
		os.Exit(serve(os.Args[2], os.Args[3], os.Args[4]))
	}
	os.Exit(m.Run())
}

func serve(dir, service, sideName string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	side, err := cluster.ParseSide(sideName)
	if err == nil {
		err = workload.Serve(ctx, log, dir, service, side)
	}
	if err != nil {
		log.Error("service", "error", err)
		return 1
	}
	return 0
}

// chain is A → t1 → P → t2 → C.
func chain() workload.Services {
	return workload.Services{
		Lifetime: 5 * time.Minute,
		Services: []workload.Service{
			{Name: "A", Role: workload.Producer, Produces: []string{"t1"}, Rate: 500, Keys: 20},
			{Name: "P", Role: workload.Processor, Consumes: []string{"t1"}, Produces: []string{"t2"}, Group: "p"},
			{Name: "C", Role: workload.Consumer, Consumes: []string{"t2"}, Group: "c"},
		},
	}
}

type bench struct {
	t   *testing.T
	dir string
	c   workload.Control
}

// setUp makes a work directory whose processes die with the test.
func setUp(t *testing.T, services workload.Services, sides map[cluster.Side]workload.Connection) bench {
	t.Helper()
	b := bench{t: t, dir: t.TempDir()}
	b.c = workload.Control{Dir: b.dir, Argv: []string{serviceCommand}, ReadyTimeout: 30 * time.Second, StopTimeout: 30 * time.Second}
	if err := workload.WriteServices(b.dir, services); err != nil {
		t.Fatal(err)
	}
	for side, conn := range sides {
		if err := workload.WriteConnection(b.dir, side, conn); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := b.c.KillAll(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func topics() embedded.Options {
	return embedded.Options{Brokers: 2, Topics: map[string]int32{"t1": 4, "t2": 4}}
}

func startCluster(t *testing.T, o embedded.Options) *embedded.Cluster {
	t.Helper()
	c, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func bothSides(t *testing.T) map[cluster.Side]workload.Connection {
	t.Helper()
	return map[cluster.Side]workload.Connection{
		cluster.Source: {Bootstrap: startCluster(t, topics()).Bootstrap()},
		cluster.Target: {Bootstrap: startCluster(t, topics()).Bootstrap()},
	}
}

func (b bench) start(service string, side cluster.Side) {
	b.t.Helper()
	if err := b.c.Start(b.t.Context(), service, side); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) stop(service string, side cluster.Side) {
	b.t.Helper()
	if err := b.c.Stop(b.t.Context(), service, side); err != nil {
		b.t.Fatal(err)
	}
}

// awaitReceived waits until the group got n more records of the topic than it
// has now.
func (b bench) awaitReceived(group, topic string, n int64) {
	b.t.Helper()
	follow, err := workload.Follow(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for first := int64(-1); ; {
		counts, err := follow.Read()
		if err != nil {
			b.t.Fatal(err)
		}
		got := counts.Received[group][topic]
		if first < 0 {
			first = got
		}
		if got >= first+n {
			return
		}
		select {
		case <-limit:
			b.t.Fatalf("group %s got %d records of %s, then %d; want %d more", group, first, topic, got, n)
		case <-tick.C:
		}
	}
}

func (b bench) awaitConsumed() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	if err := workload.AwaitConsumed(ctx, b.dir); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) prove() workload.Report {
	b.t.Helper()
	r, err := workload.Prove(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b bench) wantClean() workload.Report {
	b.t.Helper()
	r := b.prove()
	if !r.Clean() {
		b.t.Errorf("not clean: %v", r.Sentences())
	}
	for _, topic := range r.Topics {
		if topic.Produced == 0 {
			b.t.Errorf("topic %s: nothing was produced, so the proof proves nothing", topic.Topic)
		}
		for _, reader := range topic.Readers {
			if reader.Received != topic.Produced {
				b.t.Errorf("topic %s: produced %d, group %s received %d", topic.Topic, topic.Produced, reader.Group, reader.Received)
			}
		}
	}
	return r
}
