package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/internal/kafkatest"
	"kplan/mirror"
	"kplan/plan/diff"
)

// fleet is workers of one mirror, each a process of its own.
type fleet struct {
	t              *testing.T
	dir            string
	source, target []string // addresses
	topic          string
	shelf          state.Shelf
}

const fleetPartitions = 12

func newFleet(t *testing.T, name string, source, target *kafkatest.Cluster) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), source: source.Bootstrap(kafkatest.Plaintext), target: target.Bootstrap(kafkatest.Plaintext), topic: name + ".events"}
	plan := fmt.Sprintf(`cluster "old" { bootstrap = ["%s"] }
cluster "new" { bootstrap = ["%s"] }
migration %q {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["%s.*"] }
  mirror { run = "worker" }
}
`, strings.Join(f.source, `", "`), strings.Join(f.target, `", "`), name, name)
	if err := os.WriteFile(filepath.Join(f.dir, "plan.kplan.hcl"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	f.shelf = state.NewFileShelf(filepath.Join(f.dir, ".kplan", name))
	if _, err := mirror.Direct(t.Context(), f.shelf, map[string]mirror.Way{f.topic: mirror.Forward}); err != nil { // as apply does
		t.Fatal(err)
	}
	ready, _ := diff.CopyConfigs(cluster.Topic{Configs: map[string]cluster.Config{"message.timestamp.after.max.ms": {}}})
	for bootstrap, configs := range map[*[]string]map[string]string{&f.source: nil, &f.target: ready} {
		set := map[string]*string{}
		for k, v := range configs {
			set[k] = &v
		}
		resp, err := kadm.NewClient(f.client(*bootstrap)).CreateTopic(t.Context(), fleetPartitions, 1, set, f.topic)
		if err != nil || resp.Err != nil {
			t.Fatal(err, resp.Err)
		}
	}
	return f
}

func (f *fleet) client(bootstrap []string, more ...kgo.Opt) *kgo.Client {
	f.t.Helper()
	return (&scenario{t: f.t}).client(bootstrap, more...)
}

// load writes records until the function that it returns is called.
func (f *fleet) load() (stop func()) {
	f.t.Helper()
	client := f.client(f.source, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan int)
	go func() {
		n := 0
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for range 20 {
				n++
				client.Produce(context.WithoutCancel(ctx), &kgo.Record{
					Topic: f.topic, Partition: int32(rand.IntN(fleetPartitions)), Key: fmt.Appendf(nil, "key %d", n), Value: fmt.Appendf(nil, "value %d", n),
				}, nil)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		done <- n
	}()
	return func() {
		f.t.Helper()
		cancel()
		n := <-done
		if err := client.Flush(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
		f.t.Logf("%d records were written", n)
	}
}

// hand is one worker.
type hand struct {
	f      *fleet
	name   string
	cmd    *exec.Cmd
	stderr scriptBuffer
	done   chan struct{} // closed when it has ended
}

func (f *fleet) begin(name string, more ...string) *hand {
	f.t.Helper()
	h := &hand{f: f, name: name, done: make(chan struct{})}
	args := append([]string{"-C", f.dir, "mirror", "--session-timeout", "6s", "--wait", "3s"}, more...)
	h.cmd = exec.Command(built().kplan, args...)
	h.cmd.Stderr = &h.stderr
	if err := h.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		_ = h.cmd.Wait() // its state says the same
		close(h.done)
	}()
	f.t.Cleanup(func() {
		h.signal(syscall.SIGKILL)
		<-h.done
		if f.t.Failed() {
			f.t.Logf("worker %s said:\n%s", name, h.stderr.String())
		}
	})
	return h
}

func (h *hand) signal(s syscall.Signal) { _ = h.cmd.Process.Signal(s) } // one that has ended needs none

// ends waits for the end.
func (h *hand) ends(code int) {
	h.f.t.Helper()
	select {
	case <-h.done:
	case <-time.After(time.Minute):
		h.f.t.Fatalf("worker %s does not end", h.name)
	}
	if got := h.cmd.ProcessState.ExitCode(); got != code {
		h.f.t.Errorf("worker %s ended with %d, want %d:\n%s", h.name, got, code, h.stderr.String())
	}
}

// share waits until each of the workers has so many partitions, by what they
// tell of themselves.
func (f *fleet) share(what string, want map[*hand]int) {
	f.t.Helper()
	var got map[string]int
	began := time.Now()
	for deadline := began.Add(90 * time.Second); time.Now().Before(deadline); {
		entries, err := mirror.Entries(f.t.Context(), f.shelf)
		if err != nil {
			f.t.Fatal(err)
		}
		got = map[string]int{}
		for h, n := range want {
			got[h.name] = -1
			for _, e := range entries {
				if e.PID == h.cmd.Process.Pid {
					got[h.name] = e.Partitions
				}
			}
			if got[h.name] == n {
				delete(got, h.name)
			}
		}
		if len(got) == 0 {
			f.t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
			return
		}
		pauseFor(f.t.Context(), 100*time.Millisecond)
	}
	f.t.Fatalf("%s: partitions are shared otherwise than wanted: %v", what, got)
}

// pauseFor is the time between two looks at a condition.
func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Workers come, go, are killed and stand still, while records are written: what
// is on the source is on the target, once and in order.
func TestMirrorWorkersOnRealBrokers(t *testing.T) {
	t.Parallel()
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	f := newFleet(t, "fleet", source, target)
	stop := f.load()
	a, b := f.begin("a"), f.begin("b", "--listen", "0")
	f.share("two begin", map[*hand]int{a: 6, b: 6})
	b.healthy(f.topic)
	c := f.begin("c")
	f.share("a third comes", map[*hand]int{a: 4, b: 4, c: 4})
	a.signal(syscall.SIGTERM)
	a.ends(exitDone)
	f.share("one leaves", map[*hand]int{b: 6, c: 6})
	b.signal(syscall.SIGKILL)
	b.ends(-1)
	f.share("one is killed", map[*hand]int{c: 12})
	d := f.begin("d")
	f.share("another comes", map[*hand]int{c: 6, d: 6})
	d.signal(syscall.SIGSTOP)
	f.share("it stands still", map[*hand]int{c: 12})
	d.signal(syscall.SIGCONT)
	f.share("it goes on", map[*hand]int{c: 6, d: 6})
	stop()
	once := f.begin("once", "--once")
	once.ends(exitDone)
	for _, h := range []*hand{c, d} {
		h.signal(syscall.SIGINT)
		h.ends(exitDone)
	}
	f.same()
}

// same compares both logs record by record.
func (f *fleet) same() {
	f.t.Helper()
	reading := &scenario{t: f.t}
	want, got := reading.records(f.source, []string{f.topic}), reading.records(f.target, []string{f.topic})
	total := 0
	for where, records := range want {
		total += len(records)
		if d := cmp.Diff(records, got[where]); d != "" {
			f.t.Errorf("%s: %d records on the source, %d on the target (-source +target):\n%.2000s", where, len(records), len(got[where]), d)
		}
	}
	f.t.Logf("%d records compared", total)
	if total == 0 {
		f.t.Error("nothing was written")
	}
}

// healthy asks a worker that listens.
func (h *hand) healthy(topic string) {
	t := h.f.t
	t.Helper()
	address := regexp.MustCompile(`Listening on (http://127\.0\.0\.1:\d+)`).FindStringSubmatch(h.stderr.String())
	if address == nil {
		t.Fatalf("it does not say where it listens:\n%s", h.stderr.String())
	}
	ask := func(path string) (int, string) {
		t.Helper()
		resp, err := http.Get(address[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	var code int
	var body string
	for deadline := time.Now().Add(time.Minute); ; pauseFor(t.Context(), 100*time.Millisecond) { // it has partitions before it has a lease
		if code, body = ask("/healthz"); code == http.StatusOK || time.Now().After(deadline) {
			break
		}
	}
	if code != http.StatusOK || body != "ok\n" {
		t.Errorf("health: %d %s", code, body)
	}
	code, body = ask("/metrics")
	for _, want := range []string{
		`(?m)^kplan_mirror_lease\{migration="fleet"\} 1$`,
		`(?m)^kplan_mirror_records_total\{migration="fleet",partition="\d+",topic="` + topic + `"\} \d+$`,
		`(?m)^kplan_mirror_partitions\{migration="fleet",phase="stopped"\} 0$`,
	} {
		if !regexp.MustCompile(want).MatchString(body) {
			t.Errorf("metrics (%d) lack %s:\n%s", code, want, body)
		}
	}
}
