//go:build bench

package mirrorbench

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kplan/internal/kafkatest"
	"kplan/mirror"
)

const (
	rounds     = 2 // of each program, in turns; BENCH_ROUNDS
	copyLimit  = 2 * time.Minute
	beginLimit = time.Minute // MirrorMaker takes a quarter of it
)

// TestMirrorOnRealBrokers measures each load: kplan, MirrorMaker 2 and the proxy, in turns.
func TestMirrorOnRealBrokers(t *testing.T) {
	s := prepare(t)
	least := map[string]float64{"1k": 17, "100": 35, "zstd": 50}
	for _, l := range loads() {
		if !chosen(l.name) {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			c := s.fill(t, l)
			m := marks{maker: least[l.name], proxy: 2.3, speed: 4, peak: 160e6}
			for range setting(t, "BENCH_ROUNDS", rounds) {
				t.Run("kplan", func(t *testing.T) {
					results.add(l.title, m, kplan, c.measure(t, c.mirror(t)))
				})
				if os.Getenv("BENCH_MAKER") != "no" {
					t.Run("maker", func(t *testing.T) { results.add(l.title, m, maker, c.measure(t, mirrorMaker(t, c))) })
				}
				t.Run("proxy", func(t *testing.T) { results.add(l.title, m, pipe, measureProxy(t, c)) })
			}
		})
	}
}

// TestManyPartitionsOnRealBrokers measures the memory at 5,000 partitions.
func TestManyPartitionsOnRealBrokers(t *testing.T) {
	if !chosen("many") {
		t.Skip("not chosen")
	}
	s := prepare(t)
	c := s.fill(t, load{name: "many", title: "5,000 partitions, 1 KB none", records: 500_000, size: 1000, batch: 16 << 10, codec: "none", partitions: 5000})
	results.add(c.title, marks{peak: 512e6}, kplan, c.measure(t, c.mirror(t)))
}

// TestFarOnRealBrokers measures a target that is 50 ms away, there and back, beside what a
// mirror without pipelining and without splicing does on the same way.
func TestFarOnRealBrokers(t *testing.T) {
	if !chosen("far") {
		t.Skip("not chosen")
	}
	s := prepare(t)
	_, port, err := net.SplitHostPort(s.target.Bootstrap("FAR")[0])
	if err != nil {
		t.Fatal(err)
	}
	far := net.JoinHostPort(farHost, port)
	distance(t, far, s.target.Bootstrap("FAR")[0], 25*time.Millisecond)
	ours := func(c *loaded) outcome { return c.measure(t, c.shipped(t, far)) }
	way := func(c *loaded, limits mirror.Limits) outcome {
		what := c.copying(t)
		what.Target, what.Limits = []string{far}, limits
		return c.measure(t, spawn(t, task{Copy: what}))
	}
	large := s.fill(t, load{name: "far-large", title: "far, batches of 256 KB", records: 2_000_000, size: 1000, batch: 256 << 10, codec: "none", partitions: partitions})
	all, one := ours(large), way(large, mirror.Limits{InFlight: 1, Apart: true})
	compare(t, "batches of 256 KB, against one request in flight", all, one, 4)
	small := s.fill(t, load{name: "far-small", title: "far, batches of 4 KB", records: 8_000_000, size: 100, batch: 4 << 10, codec: "none", partitions: partitions})
	few := *small
	few.few = 50_000 // the passthrough would take minutes
	all, one = ours(small), way(&few, mirror.Limits{Apart: true})
	compare(t, "batches of 4 KB, against plain passthrough with five requests in flight", all, one, 50)
}

func compare(t *testing.T, what string, ours, theirs outcome, least float64) {
	t.Helper()
	verdict := "kept"
	if ours.rate() < least*theirs.rate() {
		verdict = "**missed**"
	}
	results.note("Target 50 ms away (there and back), %s: %.1f MB/s and %.1f MB/s, %.1f times (≥ %.0f: %s); peak RSS %d MB.",
		what, ours.rate(), theirs.rate(), ours.rate()/theirs.rate(), least, verdict, ours.peak/1e6)
}

// mirror is kplan's: what ships, or the mirror alone where a profile or other
// limits are asked for.
func (c *loaded) mirror(t *testing.T) *exec.Cmd {
	t.Helper()
	if os.Getenv("BENCH_PROFILES") == "" && os.Getenv("BENCH_LIMITS") == "" {
		return c.shipped(t, c.stage.target.Bootstrap(kafkatest.Plaintext)[0])
	}
	return spawn(t, task{Copy: c.copying(t)})
}

func (c *loaded) copying(t *testing.T) *copying {
	t.Helper()
	made := &copying{
		Source: c.stage.source.Bootstrap(kafkatest.Plaintext), Target: c.stage.target.Bootstrap(kafkatest.Plaintext),
		Topic: c.topic, Partitions: c.partitions, Dir: t.TempDir(),
	}
	if text := os.Getenv("BENCH_LIMITS"); text != "" {
		if err := json.Unmarshal([]byte(text), &made.Limits); err != nil {
			t.Fatal(err)
		}
	}
	if dir := os.Getenv("BENCH_PROFILES"); dir != "" {
		made.Profile = filepath.Join(dir, c.name+".pprof")
	}
	return made
}

// measure runs a mirror until all records are on the target.
func (c *loaded) measure(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	fresh(t, c.stage.atTarget, c.topic, c.partitions)
	defer remove(t, c.stage.atTarget, c.topic)
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	running := begin(t, cmd)
	defer running.end()
	pid, step := cmd.Process.Pid, 10*time.Millisecond
	if c.partitions > 100 {
		step = 500 * time.Millisecond // asking costs the broker
	}
	both := append(c.stage.source.PIDs(), c.stage.target.PIDs()...)
	all := c.records
	if c.few > 0 {
		all = c.few
	}
	var first int64
	var began time.Time
	var used, theirs time.Duration
	for limit := time.Now().Add(beginLimit); ; time.Sleep(step) {
		running.alive(t)
		now := c.end(t)
		switch {
		case first == 0 && now > 0:
			limit = time.Now().Add(copyLimit)
			first, began, used, theirs = now, time.Now(), cpu(t, pid), cpu(t, both...)
		case now > c.records:
			t.Fatalf("%d records on the target, more than the %d of the source", now, c.records)
		}
		if now >= all {
			share := float64(now-first) / float64(c.records)
			o := outcome{
				bytes: float64(c.bytes) * share, records: float64(now - first), wall: time.Since(began),
				cpu: cpu(t, pid) - used, brokers: cpu(t, both...) - theirs, peak: peak(t, pid),
			}
			t.Logf("%s: %.0f MB/s, %.3f CPU-s/GB (brokers %.2f), %d MB, %.0f%% seen", c.title, o.rate(), o.cost(), o.brokers.Seconds()/(o.bytes/1e9), o.peak/1e6, 100*share)
			quit(t, running)
			return o
		}
		if time.Now().After(limit) {
			t.Fatalf("%d of %d records are on the target, and no more come in time", now, c.records)
		}
	}
}

// quit lets a program end by itself, so that it can write a profile.
func quit(t *testing.T, p *program) {
	t.Helper()
	if os.Getenv("BENCH_PROFILES") == "" {
		return
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-p.ended
}
