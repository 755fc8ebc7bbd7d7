package state_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

// What one backend promises, each promises.
func TestConformance(t *testing.T) {
	t.Parallel()
	conform(t, places())
}

func TestConformanceOnRealBrokers(t *testing.T) {
	t.Parallel()
	conform(t, realPlaces())
}

func conform(t *testing.T, places map[string]func(t *testing.T) opener) {
	for place, make := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			for what, test := range map[string]func(t *testing.T, open opener){
				"journal":    testJournal,
				"batches":    testBatches,
				"concurrent": testConcurrent,
				"hooks":      testHooks,
				"lock":       testLock,
				"epochs":     testEpochs,
				"released":   testReleased,
				"inbox":      testInbox,
				"race":       testWithdrawOrTake,
				"restart":    testTakenOutlivesItsSession,
			} {
				t.Run(what, func(t *testing.T) {
					t.Parallel()
					test(t, make(t))
				})
			}
		})
	}
}

func testJournal(t *testing.T, open opener) {
	b := open()
	if st := readState(t, b); st.Serial != 0 || st.Began != nil || st.Moved != nil {
		t.Errorf("before the first apply: %+v", st)
	}
	if got, err := b.Requests(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("an inbox that is not there: %v, %v", got, err)
	}
	s := acquire(t, b, elsewhere("a"))
	if s.State().Serial != 0 || s.Left() != nil {
		t.Errorf("the first session: %+v, left by %v", s.State(), s.Left())
	}
	for _, r := range story() {
		appendAll(t, s, r)
	}
	want := readState(t, b)
	if want.Serial != int64(len(story())) || want.Epoch != s.Epoch() || want.Who != "" || want.LastRun != "r2" || want.Owned["t1"] != true {
		t.Errorf("read back: %+v", want)
	}
	if d := cmp.Diff(want, readState(t, open())); d != "" {
		t.Errorf("another process reads (-here +there):\n%s", d)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	other := open()
	again := acquire(t, other, elsewhere("b"))
	if d := cmp.Diff(want, again.State()); d != "" {
		t.Errorf("the next session starts from (-read +session):\n%s", d)
	}
	records, err := other.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		if r.Seq != int64(i)+1 || r.Version != state.FormatVersion || r.Epoch != s.Epoch() || !r.At.Equal(clock()) {
			t.Errorf("record %d: %+v", i, r)
		}
	}
}

func testBatches(t *testing.T, open opener) {
	b := open()
	s := acquire(t, b, elsewhere("a"))
	written, err := s.Append(story()...)
	if err != nil || len(written) != len(story()) || written[17].Seq != 18 || written[3].Owned.Topic != "t1" {
		t.Fatalf("%d records, %v", len(written), err)
	}
	large := make([]state.Record, 40) // more than goes into one batch of Kafka's
	for i := range large {
		large[i].Selection = &state.Selection{Topics: []string{strings.Repeat("x", 20_000)}}
	}
	appendAll(t, s, large...)
	appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "last"}})
	if st := readState(t, open()); st.Serial != int64(len(story())+41) || !st.Owned["last"] {
		t.Errorf("serial %d, owned %v", st.Serial, st.Owned)
	}
}

func testConcurrent(t *testing.T, open opener) {
	b := open()
	s := acquire(t, b, elsewhere("a"))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 10 {
				written, err := s.Append(state.Record{Owned: &state.Owned{Topic: fmt.Sprintf("%d-%d", w, i)}})
				if err != nil || len(written) != 1 {
					t.Errorf("%v, %v", written, err)
				}
			}
		})
	}
	wg.Wait()
	if st := readState(t, open()); st.Serial != 40 || len(st.Owned) != 40 {
		t.Errorf("serial %d, %d topics", st.Serial, len(st.Owned))
	}
}

func testHooks(t *testing.T, open opener) {
	var told []string
	var b recorder
	see := func(when string) func(int) {
		return func(n int) {
			st, err := open().Read(t.Context())
			if err != nil {
				t.Error(err)
			}
			told = append(told, fmt.Sprintf("%s %d: %d", when, n, st.Serial))
		}
	}
	b = open(state.BeforeAppend(see("before")), state.OnAppend(see("after")))
	s := acquire(t, b, elsewhere("a"))
	appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "x"}})
	appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "y"}}, state.Record{Owned: &state.Owned{Topic: "z"}})
	want := []string{"before 1: 0", "after 1: 1", "before 2: 1", "before 3: 1", "after 2: 3", "after 3: 3"}
	if d := cmp.Diff(want, told); d != "" {
		t.Errorf("hooks and what others could read (-want +got):\n%s", d)
	}
}

func testLock(t *testing.T, open opener) {
	a, b := open(), open()
	if h, err := b.Holder(t.Context()); err != nil || h != nil {
		t.Errorf("nobody was here yet: %v, %v", h, err)
	}
	s := acquire(t, a, elsewhere("a"))
	_, err := b.Acquire(t.Context(), state.Holder{Who: "b", Since: clock()})
	locked := as[*state.LockedError](t, err)
	if locked.Holder.Who != "a" || locked.Holder.ID != "a" || locked.Holder.Epoch != s.Epoch() || locked.Age != time.Minute {
		t.Errorf("refused with %+v", locked)
	}
	if h, err := b.Holder(t.Context()); err != nil || h == nil || h.Who != "a" || isKafka(b) == h.Beat.IsZero() {
		t.Errorf("held by %+v, %v", h, err)
	}
	if err := s.Check(); err != nil {
		t.Errorf("the holder after that: %v", err)
	}
	if err := b.Unlock(t.Context(), "somebody", elsewhere("b")); as[*state.UnlockError](t, err).Holder.ID != "a" {
		t.Errorf("unlocking somebody else: %v", err)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if h, err := b.Holder(t.Context()); err != nil || h != nil {
		t.Errorf("released: %v, %v", h, err)
	}
	if err := b.Unlock(t.Context(), "a", elsewhere("b")); as[*state.UnlockError](t, err).Holder != nil {
		t.Errorf("unlocking what nobody holds: %v", err)
	}
	if s := acquire(t, b, elsewhere("b")); s.Left() != nil {
		t.Errorf("left by %v, who has let go", s.Left())
	}
}

func testEpochs(t *testing.T, open opener) {
	var last int64
	for i := range 4 {
		b := open()
		s := acquire(t, b, elsewhere("a"))
		if s.Epoch() <= last {
			t.Errorf("epoch %d after %d", s.Epoch(), last)
		}
		last = s.Epoch()
		if i == 2 {
			appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "x"}})
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if st := readState(t, open()); st.Serial != 1 || st.Epoch != last-1 {
		t.Errorf("four sessions and one record: serial %d, epoch %d of %d", st.Serial, st.Epoch, last)
	}
}

func testReleased(t *testing.T, open opener) {
	b := open()
	s := acquire(t, b, elsewhere("a"))
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
	<-s.Lost()
	_, appendErr := s.Append(state.Record{})
	for what, err := range map[string]error{
		"check": s.Check(), "append": appendErr, "take": s.Take(t.Context(), "x"), "clear": s.Clear(t.Context(), "x"),
	} {
		if lost := (*state.LeaseLostError)(nil); !errors.As(err, &lost) || lost.Epoch != s.Epoch() {
			t.Errorf("%s after the release: %v", what, err)
		}
	}
	if st := readState(t, b); st.Serial != 0 {
		t.Errorf("written after the release: %+v", st)
	}
}
