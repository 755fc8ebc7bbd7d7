package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/internal/cluster"
)

func clock() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func journal(dir string) string { return filepath.Join(dir, "journal.jsonl") }

func open(t *testing.T, dir string) (*state.Journal, state.State) {
	t.Helper()
	j, st, err := state.Open(dir, clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return j, st
}

func add(t *testing.T, j *state.Journal, records ...state.Record) {
	t.Helper()
	for _, r := range records {
		if _, err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func story() []state.Record {
	before := "604800000"
	return []state.Record{
		{Begin: &state.Begin{Migration: "orders", Source: "S", Target: "T"}},
		{Run: "r1", RunBegan: &state.RunBegan{PlanHash: "h1", Who: "me"}},
		{Run: "r1", Selection: &state.Selection{Topics: []string{"t1"}, Groups: []string{"g1"}}},
		{Run: "r1", Owned: &state.Owned{Topic: "t1"}},
		{Run: "r1", Step: &state.Step{Address: "a", Attempt: 1, Status: state.Running}},
		{Run: "r1", Step: &state.Step{Address: "a", Attempt: 1, Status: state.Running, Facts: []byte(`{"x":1}`)}},
		{Run: "r1", Step: &state.Step{Address: "a", Attempt: 1, Status: state.Failed, Error: "no"}},
		{Run: "r1", Step: &state.Step{Address: "b", Attempt: 1, Status: state.Done, Facts: []byte(`{"y":1}`)}},
		{Run: "r1", Step: &state.Step{Address: "b", Attempt: 1, Status: state.Reset}},
		{Run: "r1", Side: &state.SideFlip{Topic: "t1", Side: cluster.Target, Epoch: 1}},
		{Run: "r1", Side: &state.SideFlip{Group: "g1", Side: cluster.Target, Epoch: 1}},
		{Run: "r1", Side: &state.SideFlip{Group: "g1", Side: cluster.Source, Epoch: 2}},
		{Run: "r1", Override: &state.Override{Topic: "t1", Set: map[string]string{"retention.ms": "-1"}, Restore: map[string]*string{"retention.ms": &before, "retention.bytes": nil}}},
		{Run: "r1", Override: &state.Override{Topic: "t2", Set: map[string]string{"retention.ms": "-1"}}},
		{Run: "r1", Override: &state.Override{Topic: "t2", Restored: true}},
		{Run: "r1", Answer: &state.Answer{Request: state.Request{Verb: "done", Address: "a"}}},
		{Run: "r1", RunEnded: &state.RunEnded{Outcome: "failed"}},
		{Run: "r2", RunBegan: &state.RunBegan{PlanHash: "h2"}},
	}
}

// What was appended is what a later process folds.
func TestReplay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders")
	j, st := open(t, dir)
	if st.Serial != 0 || st.Began != nil {
		t.Fatalf("a new directory has %+v", st)
	}
	add(t, j, story()...)
	got, err := state.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	before := "604800000"
	want := state.State{
		Began: &state.Begin{Migration: "orders", Source: "S", Target: "T"}, Serial: 18, LastRun: "r2", PlanHash: "h2",
		Selection: &state.Selection{Topics: []string{"t1"}, Groups: []string{"g1"}},
		Steps: map[string]state.StepState{
			"a": {Status: state.Failed, Attempt: 1, Facts: []byte(`{"x":1}`), Error: "no", At: clock()},
			"b": {Status: state.Reset, Attempt: 1, At: clock()}, // facts of an undone step are void
		},
		Topics:    map[string]state.Flip{"t1": {Side: cluster.Target, Epoch: 1}},
		Groups:    map[string]state.Flip{"g1": {Side: cluster.Source, Epoch: 2}},
		Overrides: map[string]state.Override{"t1": {Topic: "t1", Set: map[string]string{"retention.ms": "-1"}, Restore: map[string]*string{"retention.ms": &before, "retention.bytes": nil}}},
		Owned:     map[string]bool{"t1": true},
		EndedAt:   clock(),
		Answers:   map[string]state.Answer{}, Said: map[string]state.Answer{}, Settings: map[string]string{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("folded (-want +got):\n%s", d)
	}
	if got.TopicSide("t1") != cluster.Target || got.TopicSide("other") != cluster.Source || got.GroupSide("g1") != cluster.Source {
		t.Error("the sides are wrong")
	}
	_, again := open(t, dir)
	if d := cmp.Diff(got, again); d != "" {
		t.Errorf("Open and Read differ (-read +open):\n%s", d)
	}
}

// A crash leaves a torn last line, however much of it: it is as if it had not
// been written, and the next record takes its place.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	add(t, j, story()[:3]...)
	whole, err := os.ReadFile(journal(dir))
	if err != nil {
		t.Fatal(err)
	}
	two := strings.LastIndex(strings.TrimSuffix(string(whole), "\n"), "\n") + 1
	tails := map[string]string{"zeroes": string(whole[:two]) + "\x00\x00\x00\n"}
	for cut := two; cut < len(whole); cut++ {
		tails[fmt.Sprint(cut)] = string(whole[:cut])
	}
	for name, text := range tails {
		dir := t.TempDir()
		if err := os.WriteFile(journal(dir), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		st, err := state.Read(dir)
		if err != nil || st.Serial != 2 {
			t.Fatalf("%s: serial %d, %v", name, st.Serial, err)
		}
		j, st := open(t, dir)
		if st.Serial != 2 {
			t.Fatalf("%s: serial %d", name, st.Serial)
		}
		add(t, j, state.Record{Owned: &state.Owned{Topic: "new"}})
		if st, err = state.Read(dir); err != nil || st.Serial != 3 || !st.Owned["new"] || st.Selection != nil {
			t.Fatalf("%s: after another record %+v, %v", name, st, err)
		}
	}
}

// What is not a torn tail is refused with line and way out, and left alone.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	add(t, j, story()[:4]...)
	data, err := os.ReadFile(journal(dir))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	for name, c := range map[string]struct {
		text string
		line int
		says string
	}{
		"damaged middle": {lines[0] + "{\"v\":1,\n" + lines[2], 2, "damaged"},
		"line lost":      {lines[0] + lines[2] + lines[3], 2, "record number 3 stands where 2 is expected"},
		"line twice":     {lines[0] + lines[1] + lines[1], 3, "record number 2 stands where 3 is expected"},
		"future":         {lines[0] + strings.Replace(lines[1], `"v":2`, `"v":3,"side":7`, 1), 2, "newer kplan"},
		"unknown side":   {lines[0] + `{"v":1,"seq":2,"side":{"topic":"t","side":"middle","epoch":1}}` + "\n" + lines[2], 2, "not a side"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(journal(dir), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, openErr := state.Open(dir, clock, nil)
			_, readErr := state.Read(dir)
			for _, err := range []error{openErr, readErr} {
				var damaged *state.DamagedError
				if !errors.As(err, &damaged) || damaged.Line != c.line || !strings.Contains(err.Error(), c.says) || damaged.Do == "" {
					t.Errorf("error %v, want line %d and %q", err, c.line, c.says)
				}
			}
			if after, err := os.ReadFile(journal(dir)); err != nil || string(after) != c.text {
				t.Errorf("the file was changed: %q, %v", after, err)
			}
		})
	}
}

// A full disk leaves whole lines, and room later is enough to go on. The size
// limit of this process stands for the disk.
func TestAppendFailureLeavesWholeLines(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	add(t, j, story()[:2]...)
	size := int64(len(mustRead(t, journal(dir))))
	limited(t, uint64(size)+10, func() {
		_, err := j.Append(story()[2])
		var failed *state.WriteError
		if !errors.As(err, &failed) || !errors.Is(err, syscall.EFBIG) {
			t.Errorf("error %v", err)
		}
	})
	if got := int64(len(mustRead(t, journal(dir)))); got != size {
		t.Errorf("%d bytes after the failure, %d before", got, size)
	}
	add(t, j, story()[2])
	if st, err := state.Read(dir); err != nil || st.Serial != 3 {
		t.Errorf("serial %d, %v", st.Serial, err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAppendAfterCloseFails(t *testing.T) {
	j, _ := open(t, t.TempDir())
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	var failed *state.WriteError
	if _, err := j.Append(state.Record{}); !errors.As(err, &failed) {
		t.Errorf("error %v", err)
	}
}

// Steps run side by side: their records are numbered without gaps, and
// onAppend counts them.
func TestConcurrentAppends(t *testing.T) {
	dir := t.TempDir()
	var counted []int
	j, _, err := state.Open(dir, clock, func(n int) { counted = append(counted, n) })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				if _, err := j.Append(state.Record{Owned: &state.Owned{Topic: fmt.Sprintf("%d-%d", w, i)}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := state.Read(dir)
	if err != nil || st.Serial != 80 || len(st.Owned) != 80 || len(counted) != 80 || counted[79] != 80 {
		t.Errorf("serial %d, %d topics, counted %d, %v", st.Serial, len(st.Owned), len(counted), err)
	}
}

// No journal makes the reader panic, and what it accepts it folds.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "\n", "{}\n", `{"v":1,"seq":1}` + "\n", `{"v":1,"seq":1,"step":{"address":"a","status":"done"}}` + "\n",
		`{"v":1,"seq":1,"side":{"group":"g","side":"target","epoch":1}}` + "\n" + `{"v":1,"seq":2,"override":{"topic":"t","restored":true}}` + "\n{\"v",
		`{"v":9,"seq":1}` + "\n\n", "null\nnull\n", `{"v":1,"seq":1,"step":null,"selection":{"topics":null}}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(journal(dir), data, 0o600); err != nil {
			t.Fatal(err)
		}
		st, err := state.Read(dir)
		if err != nil {
			return
		}
		j, opened, err := state.Open(dir, clock, nil)
		if err != nil {
			t.Fatalf("Read takes it, Open does not: %v", err)
		}
		if opened.Serial != st.Serial {
			t.Fatalf("serial %d by Open, %d by Read", opened.Serial, st.Serial)
		}
		if _, err := j.Append(state.Record{Owned: &state.Owned{Topic: "x"}}); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if again, err := state.Read(dir); err != nil || again.Serial != st.Serial+1 {
			t.Fatalf("after another record: serial %d of %d, %v", again.Serial, st.Serial, err)
		}
	})
}
