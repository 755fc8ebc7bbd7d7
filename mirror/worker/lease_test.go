package worker

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/wire"
)

type setClock struct{ now time.Duration }

func (c *setClock) Now() time.Duration { return c.now }

// Both the group and the shelf must have heard of the worker of late.
func TestLease(t *testing.T) {
	c := &setClock{}
	l := newLease(c, 10*time.Second)
	says := func(at time.Duration, want string) {
		t.Helper()
		c.now = at
		err := l.check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("after %s: %v, want %q", at, err, want)
		}
	}
	says(0, "no heartbeat has reached the group yet")
	extend(&l.member, 0)
	says(time.Second, "the directions could not be read and answered yet")
	extend(&l.entry, time.Second)
	says(7999*time.Millisecond, "")
	says(8*time.Second, "no heartbeat has reached the group for 8s")
	extend(&l.member, 6*time.Second)
	extend(&l.member, 2*time.Second) // an answer that was overtaken
	says(8999*time.Millisecond, "")
	says(9*time.Second, "read and answered for 8s")
	extend(&l.entry, 8*time.Second)
	says(13*time.Second, "")
	says(14*time.Second, "no heartbeat")
	extend(&l.member, 14*time.Second)
	l.member.Store(never) // the group has expelled it
	says(14*time.Second, "yet")
}

// A worker without a lease takes nothing over, though nobody has told it yet that
// the group has gone on: whoever has the partition goes on keeping its map.
func TestNothingIsTakenWithoutALease(t *testing.T) {
	p, dir := wire.Partition{Topic: "orders"}, t.TempDir()
	owner := mirror.NewKeeper(state.NewFileShelf(dir))
	clock := &setClock{now: time.Hour}
	w, err := New(Config{Shelf: state.NewFileShelf(dir), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.assign([]wire.Partition{p})
	w.topics = map[string]Topic{"orders": {Partitions: 1}}
	w.ways, w.epoch = mirror.Directions{Epoch: 1, Topics: map[string]mirror.Way{"orders": mirror.Forward}}, 1
	extend(&w.lease.entry, clock.now)
	if _, err := owner.Assignments(t.Context(), []wire.Partition{p}); err != nil {
		t.Fatal(err)
	}
	if err := w.follow(t.Context()); err != nil || len(w.held) != 0 {
		t.Errorf("without a heartbeat it has taken %v, %v", w.held, err)
	}
	m, err := mirror.NewMap(mirror.Point{})
	if err == nil {
		err = owner.Keep(map[wire.Partition]mirror.Kept{p: {Offsets: m}})
	}
	if err != nil {
		t.Error(err)
	}
	extend(&w.lease.member, clock.now)
	if err := w.follow(t.Context()); err != nil || !w.held[p] {
		t.Errorf("with a lease it has %v, %v", w.held, err)
	}
}

// metrics are those of a standing, as they are served.
func metrics(t *testing.T, migration string, s Standing) string {
	t.Helper()
	r := httptest.NewRecorder()
	promhttp.HandlerFor(registry(migration, func() Standing { return s }), promhttp.HandlerOpts{}).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if r.Code != http.StatusOK {
		t.Fatal(r.Body)
	}
	return r.Body.String()
}

// With very many partitions there are series by topic only.
func TestMetricsAreBounded(t *testing.T) {
	now := time.Now()
	s := Standing{Topics: 2, Maps: mirror.Maps{Bytes: 12345}}
	for i := range mostSeries {
		s.Partitions = append(s.Partitions, mirror.Standing{Partition: wire.Partition{Topic: fmt.Sprint("t", i%2), Number: int32(i)}, Records: 2, Bytes: 30, Mark: 5, Heard: now, Moved: now})
	}
	text := metrics(t, "m", s)
	if n := strings.Count(text, "\nkplan_mirror_records_total{"); n != mostSeries {
		t.Errorf("%d series for %d partitions", n, mostSeries)
	}
	s.Partitions = append(s.Partitions, mirror.Standing{Partition: wire.Partition{Topic: "t1", Number: 9999}, Phase: mirror.Stopped, Records: 1, Heard: now})
	text = metrics(t, "m", s)
	for _, want := range []string{
		"kplan_mirror_records_total{migration=\"m\",topic=\"t0\"} 1000\n", "kplan_mirror_records_total{migration=\"m\",topic=\"t1\"} 1001\n",
		"kplan_mirror_bytes_total{migration=\"m\",topic=\"t0\"} 15000\n", "kplan_mirror_lag_records{migration=\"m\",topic=\"t1\"} 2500\n",
		"kplan_mirror_partitions{migration=\"m\",phase=\"stopped\"} 1\n", "kplan_mirror_lease{migration=\"m\"} 1\n",
		"kplan_mirror_limit{limit=\"nothing\",migration=\"m\"} 1\n", "kplan_mirror_map_bytes{migration=\"m\"} 12345\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if got := s.ailing(now); len(got) != 1 || !strings.Contains(got[0], "t1[9999]") {
		t.Errorf("ailing: %v", got)
	}
	s.NoLease = &LeaseError{Why: "x"}
	if got := s.ailing(now); len(got) != 2 {
		t.Errorf("ailing: %v", got)
	}
}

// What is not known is not exported as 0: an alert by it would never come.
func TestMetricsOfTheUnknown(t *testing.T) {
	now := time.Now()
	part := func(topic string, number int32, heard time.Time, age time.Duration) mirror.Standing {
		return mirror.Standing{Partition: wire.Partition{Topic: topic, Number: number}, Mark: 7, Heard: heard, Moved: now, Progress: mirror.Progress{LagTime: age}}
	}
	text := metrics(t, "m", Standing{Partitions: []mirror.Standing{part("a", 0, time.Time{}, 0), part("a", 1, now, mirror.Unknown), part("a", 2, now, 3*time.Second)}})
	for _, want := range []string{
		`kplan_mirror_records_total{migration="m",partition="0",topic="a"} 0`, `kplan_mirror_lag_records{migration="m",partition="1",topic="a"} 7`,
		`kplan_mirror_lag_seconds{migration="m",partition="2",topic="a"} 3`, `kplan_mirror_unknown_partitions{migration="m"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	for _, not := range []string{`kplan_mirror_lag_records{migration="m",partition="0",topic="a"}`, `kplan_mirror_lag_seconds{migration="m",partition="0",topic="a"}`, `kplan_mirror_lag_seconds{migration="m",partition="1",topic="a"}`} {
		if strings.Contains(text, not) {
			t.Errorf("%s is not known, and told in\n%s", not, text)
		}
	}
	many := Standing{Partitions: []mirror.Standing{part("a", 0, time.Time{}, 0)}}
	for i := range mostSeries {
		many.Partitions = append(many.Partitions, part("a", int32(i+1), now, time.Second))
	}
	if text := metrics(t, "m", many); strings.Contains(text, "kplan_mirror_lag_records{") || strings.Contains(text, "kplan_mirror_lag_seconds{") || !strings.Contains(text, `kplan_mirror_records_total{migration="m",topic="a"}`) {
		t.Error("the lag of a topic is told, and that of one of its partitions is not known")
	}
}

// A mirror that has something to copy and makes no progress is not healthy.
func TestHealthOfAStandstill(t *testing.T) {
	now := time.Now()
	s := Standing{Topics: 1, Partitions: []mirror.Standing{{Partition: wire.Partition{Topic: "a"}, Phase: mirror.Copying, Mark: 7, Heard: now, Moved: now.Add(-time.Minute)}}}
	if got := s.ailing(now); len(got) != 0 {
		t.Errorf("after a minute: %v", got)
	}
	if got := s.ailing(now.Add(2 * time.Minute)); len(got) != 1 || !strings.Contains(got[0], "a[0]: no progress for 3m0s") {
		t.Errorf("after three: %v", got)
	}
}

// Whoever asks over HTTP is told whether the worker may write.
func TestHealthIsServed(t *testing.T) {
	clock := &setClock{}
	w, err := New(Config{Shelf: state.NewFileShelf(t.TempDir()), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	w.topics = map[string]Topic{"orders": {Partitions: 1}}
	w.ways, w.epoch = mirror.Directions{Epoch: 1, Topics: map[string]mirror.Way{"orders": mirror.Forward}}, 1
	told := func(path string) (int, string) {
		rw := httptest.NewRecorder()
		w.Handler("m").ServeHTTP(rw, httptest.NewRequest(http.MethodGet, path, nil))
		return rw.Code, rw.Body.String()
	}
	says := func(code int, health, lease string) {
		t.Helper()
		if got, text := told("/healthz"); got != code || !strings.Contains(text, health) || code == http.StatusOK && text != health {
			t.Errorf("/healthz: %d %q, want %d %q", got, text, code, health)
		}
		if got, text := told("/metrics"); got != http.StatusOK || !strings.Contains(text, lease) {
			t.Errorf("/metrics: %d, and no %q in\n%s", got, lease, text)
		}
	}
	says(http.StatusServiceUnavailable, "no heartbeat", "kplan_mirror_lease{migration=\"m\"} 0\n")
	extend(&w.lease.member, 0)
	extend(&w.lease.entry, 0)
	says(http.StatusOK, "ok\n", "kplan_mirror_lease{migration=\"m\"} 1\n")
}
