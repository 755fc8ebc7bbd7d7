package state_test

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

// sleeper is the log of a process that stands still in the middle of sending:
// what it sends then arrives after it has woken up, whatever it thinks of it.
type sleeper struct {
	state.Log
	asleep chan struct{} // closed: it stands still from now on
	awake  chan struct{} // closed: and goes on
	caught chan string   // keys that wait for that
}

func newSleeper(log state.Log) *sleeper {
	return &sleeper{Log: log, asleep: make(chan struct{}), awake: make(chan struct{}), caught: make(chan string, 100)}
}

func (l *sleeper) Append(ctx context.Context, keys []string, values [][]byte) (int64, error) {
	select {
	case <-l.asleep:
		l.caught <- keys[0]
		<-l.awake
		ctx = context.WithoutCancel(ctx) // the packet is on its way
	default:
	}
	return l.Log.Append(ctx, keys, values)
}

// awaitCaught returns when one entry of each kind waits.
func (l *sleeper) awaitCaught(t *testing.T, kinds ...string) {
	t.Helper()
	open := map[string]bool{}
	for _, k := range kinds {
		open[k] = true
	}
	for limit := time.After(10 * time.Second); len(open) > 0; {
		select {
		case key := <-l.caught:
			for k := range open {
				if strings.Contains(key, k) {
					delete(open, k)
				}
			}
		case <-limit:
			t.Fatalf("nothing was sent of %v", open)
		}
	}
}

// A holder stands still beyond its lease, with a record, a request to take and a
// heartbeat on their way. Another takes over. When the first one wakes up its
// entries come into the topic, void, and it may do nothing any more.
func TestTakeoverOnRealBrokers(t *testing.T) {
	t.Parallel()
	bootstrap := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0)).Bootstrap(kafkatest.Plaintext)
	topic := fmt.Sprintf("_kplan.takeover-%08x", rand.Uint32())
	const ttl = 4 * time.Second
	open := inTopic(t, bootstrap, topic, ttl, nil)
	own := func(who string) state.Record { return state.Record{Owned: &state.Owned{Topic: who}} }

	log := newSleeper(topicLog(t, bootstrap, topic, nil))
	a := state.NewKafka(log, "the topic", "kafka C/T", clock, state.TTL(ttl))
	first, err := a.Acquire(t.Context(), elsewhere("a"))
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, first, own("before"))
	put(t, open(), ask("one", 0))
	close(log.asleep)
	appended, took := make(chan error, 1), make(chan error, 1)
	go func() { appended <- second(first.Append(own("late"))) }()
	go func() { took <- first.Take(t.Context(), "one") }()
	log.awaitCaught(t, "journal/", "/taken/", "beat/")

	var waited string
	b := open(state.OnWait(func(h state.Holder, _ time.Duration) { waited = h.Who }))
	began := time.Now()
	next := acquire(t, b, elsewhere("b"))
	t.Logf("taken over after %s, with a lease of %s", time.Since(began).Round(10*time.Millisecond), ttl)
	if waited != "a" || next.Left() == nil || next.Left().Who != "a" || next.Epoch() <= first.Epoch() || next.State().Serial != 1 {
		t.Errorf("waited for %q, left by %v, epoch %d after %d, serial %d", waited, next.Left(), next.Epoch(), first.Epoch(), next.State().Serial)
	}

	close(log.awake)
	for what, err := range map[string]error{
		"the append under way": <-appended, "the request under way": <-took, "check": first.Check(),
		"append": second(first.Append(own("later"))), "take": first.Take(t.Context(), "one"), "clear": first.Clear(t.Context(), "one"),
	} {
		if lost := as[*state.LeaseLostError](t, err); lost.Epoch != first.Epoch() {
			t.Errorf("%s: %v", what, err)
		}
	}
	<-first.Lost()
	if err := first.Release(); err != nil {
		t.Errorf("letting go of what is lost: %v", err)
	}
	awaitLate(t, topicLog(t, bootstrap, topic, nil), first.Epoch(), next.Epoch())

	if d := cmp.Diff(records(t, b), records(t, open())); d != "" || len(records(t, b)) != 1 {
		t.Errorf("who reads along and who comes late disagree, or the late record counts: %s", d)
	}
	appendAll(t, next, own("after"))
	reader := open()
	var got []string
	for _, r := range records(t, reader) {
		got = append(got, fmt.Sprint(r.Owned.Topic, " ", r.Epoch))
	}
	if d := cmp.Diff([]string{fmt.Sprint("before ", first.Epoch()), fmt.Sprint("after ", next.Epoch())}, got); d != "" {
		t.Errorf("who comes late reads (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"one"}, inbox(t, reader)); d != "" {
		t.Errorf("and in the inbox (-want +got):\n%s", d)
	}
	appendAll(t, next, own("on"))
	if err := next.Take(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	same(t, reader, b)
}

// awaitLate waits until the topic holds what the first one sent, behind the
// claim of the next one.
func awaitLate(t *testing.T, log *kafka.StateLog, first, next int64) {
	t.Helper()
	t.Cleanup(func() { closed(t, log.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		claimed := false
		late := map[string]bool{}
		_, err := log.Read(ctx, 0, func(_ int64, key string, value []byte) error {
			claimed = claimed || strings.HasPrefix(key, fmt.Sprintf("claim/%d/", next))
			for _, kind := range []string{fmt.Sprintf("journal/%d/2/", first), "/taken/", fmt.Sprintf("beat/%d", first)} {
				if claimed && strings.Contains(key, kind) {
					late[kind] = true
				}
			}
			return nil
		})
		if err == nil && len(late) == 3 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("behind the claim there is only %v, %v", late, err)
		}
	}
}
