package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/internal/cluster"
)

func clock() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func journal(dir string) string { return filepath.Join(dir, "journal.jsonl") }

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
		{Run: "r1", Fence: fence()},
		{Run: "r1", Fence: &state.Fence{Topic: "t2", Deny: fence().Deny}},
		{Run: "r1", Fence: &state.Fence{Topic: "t2", Lifted: true}},
		{Run: "r1", Answer: &state.Answer{Request: state.Request{Verb: "done", Address: "a"}}},
		{Run: "r1", RunEnded: &state.RunEnded{Outcome: "failed"}},
		{Run: "r2", RunBegan: &state.RunBegan{PlanHash: "h2"}},
	}
}

func fence() *state.Fence {
	a := cluster.ACL{Resource: "topic", Name: "t1", Pattern: cluster.Literal, Principal: "User:CN=a b,O=x", Host: "*", Operation: "write", Permission: cluster.Deny}
	return &state.Fence{Topic: "t1", Deny: []cluster.ACL{a}}
}

// What was appended is what a later process folds.
func TestReplay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders")
	s := acquire(t, state.NewFile(dir, clock), elsewhere("a"))
	for _, r := range story() {
		appendAll(t, s, r)
	}
	got := readState(t, state.NewFile(dir, clock))
	before := "604800000"
	want := state.State{
		Began: &state.Begin{Migration: "orders", Source: "S", Target: "T"}, Serial: 21, LastRun: "r2", PlanHash: "h2",
		Selection: &state.Selection{Topics: []string{"t1"}, Groups: []string{"g1"}},
		Steps: map[string]state.StepState{
			"a": {Status: state.Failed, Attempt: 1, Facts: []byte(`{"x":1}`), Error: "no", At: clock()},
			"b": {Status: state.Reset, Attempt: 1, At: clock()}, // facts of an undone step are void
		},
		Topics:    map[string]state.Flip{"t1": {Side: cluster.Target, Epoch: 1}},
		Groups:    map[string]state.Flip{"g1": {Side: cluster.Source, Epoch: 2}},
		Overrides: map[string]state.Override{"t1": {Topic: "t1", Set: map[string]string{"retention.ms": "-1"}, Restore: map[string]*string{"retention.ms": &before, "retention.bytes": nil}}},
		Owned:     map[string]bool{"t1": true},
		Fences:    map[string]state.Fence{"t1": *fence()},
		ACLs:      map[cluster.ACL]bool{}, Quotas: map[cluster.QuotaEntity]bool{}, Users: map[string]bool{},
		Epoch:   s.Epoch(),
		EndedAt: clock(),
		Answers: map[string]state.Answer{}, Said: map[string]state.Answer{}, Settings: map[string]string{},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("folded (-want +got):\n%s", d)
	}
	if got.TopicSide("t1") != cluster.Target || got.TopicSide("other") != cluster.Source || got.GroupSide("g1") != cluster.Source {
		t.Error("the sides are wrong")
	}
}

// A crash leaves a torn last line, however much of it: it is as if it had not
// been written, and the next record takes its place.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	appendAll(t, acquire(t, state.NewFile(dir, clock), elsewhere("a")), story()[:3]...)
	whole := mustRead(t, journal(dir))
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
		b := state.NewFile(dir, clock)
		if st := readState(t, b); st.Serial != 2 {
			t.Fatalf("%s: serial %d", name, st.Serial)
		}
		s := acquire(t, b, elsewhere("b"))
		if s.State().Serial != 2 {
			t.Fatalf("%s: the session starts from serial %d", name, s.State().Serial)
		}
		appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "new"}})
		if st := readState(t, b); st.Serial != 3 || !st.Owned["new"] || st.Selection != nil {
			t.Fatalf("%s: after another record %+v", name, st)
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is not a torn tail is refused with line and way out, and left alone.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	appendAll(t, acquire(t, state.NewFile(dir, clock), elsewhere("a")), story()[:4]...)
	lines := strings.SplitAfter(string(mustRead(t, journal(dir))), "\n")
	for name, c := range map[string]struct {
		text string
		line int
		says string
	}{
		"damaged middle": {lines[0] + "{\"v\":1,\n" + lines[2], 2, "damaged"},
		"line lost":      {lines[0] + lines[2] + lines[3], 2, "record number 3 stands where 2 is expected"},
		"line twice":     {lines[0] + lines[1] + lines[1], 3, "record number 2 stands where 3 is expected"},
		"future":         {lines[0] + strings.Replace(lines[1], `"v":2`, `"v":3,"side":7`, 1), 2, "newer kplan"},
		"epoch":          {lines[0] + `{"v":2,"seq":2,"epoch":9223372036854775807}` + "\n" + lines[2], 2, "epoch 9223372036854775807"},
		"unknown side":   {lines[0] + `{"v":1,"seq":2,"side":{"topic":"t","side":"middle","epoch":1}}` + "\n" + lines[2], 2, "not a side"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(journal(dir), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			b := state.NewFile(dir, clock)
			for what, err := range map[string]error{"read": second(b.Read(t.Context())), "acquire": second(b.Acquire(t.Context(), elsewhere("b")))} {
				if damaged := as[*state.DamagedError](t, err); damaged.Line != c.line || !strings.Contains(err.Error(), c.says) || damaged.Do == "" {
					t.Errorf("%s: error %v, want line %d and %q", what, err, c.line, c.says)
				}
			}
			if after := string(mustRead(t, journal(dir))); after != c.text {
				t.Errorf("the file was changed: %q", after)
			}
		})
	}
}

// A full disk leaves whole lines, and room later is enough to go on. The size
// limit of this process stands for the disk.
func TestAppendFailureLeavesWholeLines(t *testing.T) {
	dir := t.TempDir()
	b := state.NewFile(dir, clock)
	s := acquire(t, b, elsewhere("a"))
	appendAll(t, s, story()[:2]...)
	size := int64(len(mustRead(t, journal(dir))))
	limited(t, uint64(size)+10, func() {
		_, err := s.Append(story()[2])
		if as[*state.WriteError](t, err); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("error %v", err)
		}
	})
	if got := int64(len(mustRead(t, journal(dir)))); got != size {
		t.Errorf("%d bytes after the failure, %d before", got, size)
	}
	appendAll(t, s, story()[2])
	if st := readState(t, b); st.Serial != 3 {
		t.Errorf("serial %d", st.Serial)
	}
}

// Where the tail of a failed append cannot be cut off nothing may follow it. A
// file that cannot be written stands for a disk with errors.
func TestAppendAfterATornOne(t *testing.T) {
	dir := t.TempDir()
	b := state.NewFile(dir, clock)
	s := acquire(t, b, elsewhere("a"))
	appendAll(t, s, story()[0])
	broken, err := os.Open(journal(dir))
	if err != nil {
		t.Fatal(err)
	}
	was := state.SwapJournal(s, broken)
	for what := range 2 {
		_, err := s.Append(story()[1])
		as[*state.WriteError](t, err)
		if !strings.Contains(err.Error(), "could not be cut off") {
			t.Errorf("append %d: %v", what, err)
		}
		state.SwapJournal(s, was) // the disk has recovered
	}
	closed(t, broken.Close())
	if st := readState(t, b); st.Serial != 1 {
		t.Errorf("serial %d", st.Serial)
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

// No journal makes the reader panic, and one that it accepts goes on.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"", "\n", "{}\n", `{"v":1,"seq":1}` + "\n", `{"v":1,"seq":1,"step":{"address":"a","status":"done"}}` + "\n",
		`{"v":1,"seq":1,"side":{"group":"g","side":"target","epoch":1}}` + "\n" + `{"v":1,"seq":2,"override":{"topic":"t","restored":true}}` + "\n{\"v",
		`{"v":2,"seq":1,"epoch":7,"moved":{"to":"kafka C/T"}}` + "\n", `{"v":2,"seq":1,"epoch":-3}` + "\n" + `{"v":1,"seq":2,"answer":{"verb":"set"}}` + "\n",
		`{"v":9,"seq":1}` + "\n\n", "null\nnull\n", `{"v":1,"seq":1,"step":null,"selection":{"topics":null}}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(journal(dir), data, 0o600); err != nil {
			t.Fatal(err)
		}
		b := state.NewFile(dir, clock)
		st, err := b.Read(t.Context())
		if err != nil {
			return
		}
		s, err := b.Acquire(t.Context(), elsewhere("a"))
		if moved := (*state.MovedAwayError)(nil); errors.As(err, &moved) {
			return // it goes on elsewhere
		}
		if err != nil {
			t.Fatalf("Read takes it, Acquire does not: %v", err)
		}
		if s.State().Serial != st.Serial || s.Epoch() <= st.Epoch {
			t.Fatalf("serial %d and epoch %d for the session, %d and %d by Read", s.State().Serial, s.Epoch(), st.Serial, st.Epoch)
		}
		if _, err := s.Append(state.Record{Owned: &state.Owned{Topic: "x"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		if again, err := b.Read(t.Context()); err != nil || again.Serial != st.Serial+1 || again.Epoch != s.Epoch() {
			t.Fatalf("after another record: serial %d of %d, epoch %d of %d, %v", again.Serial, st.Serial, again.Epoch, s.Epoch(), err)
		}
	})
}
