package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/internal/embedded"
	"kplan/internal/kafkatest"
)

// shelves are the places of a shelf; each call of the inner function opens it
// once more, as another process would.
func shelves() map[string]func(t *testing.T) func() state.Shelf {
	return map[string]func(t *testing.T) func() state.Shelf{
		"file": func(t *testing.T) func() state.Shelf {
			dir := filepath.Join(t.TempDir(), "orders")
			return func() state.Shelf { return state.NewFileShelf(dir) }
		},
		"embedded": func(t *testing.T) func() state.Shelf {
			c, err := embedded.Start(embedded.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			return shelfInTopic(t, c.Bootstrap())
		},
	}
}

func realShelves() map[string]func(t *testing.T) func() state.Shelf {
	all := map[string]func(t *testing.T) func() state.Shelf{}
	for _, v := range []kafkatest.Version{kafkatest.V2_8_2, kafkatest.V4_3_0} {
		all[string(v)] = func(t *testing.T) func() state.Shelf {
			return shelfInTopic(t, brokers.Shared(t, kafkatest.Stock(v)).Bootstrap(kafkatest.Plaintext))
		}
	}
	return all
}

func shelfInTopic(t *testing.T, bootstrap []string) func() state.Shelf {
	topic := fmt.Sprintf("_kplan.orders-%08x.mirror", rand.Uint32())
	return func() state.Shelf {
		log := topicLog(t, bootstrap, topic, state.ShelfConfigs())
		s := state.NewLogShelf(log, log.Where())
		t.Cleanup(func() { closed(t, s.Close()) })
		return s
	}
}

func shelve(t *testing.T, s state.Shelf, values map[string][]byte) {
	t.Helper()
	if err := s.Put(t.Context(), values); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, s state.Shelf, prefix string, want map[string][]byte) {
	t.Helper()
	got, err := s.All(t.Context(), prefix)
	if err == nil && maps.EqualFunc(want, got, bytes.Equal) { // cmp takes seconds for long values
		return
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%q: %v (-want +got):\n%.2000s", prefix, err, d)
	}
}

// What one shelf promises, each promises.
func TestShelfConformance(t *testing.T) {
	t.Parallel()
	shelvesConform(t, shelves())
}

func TestShelfConformanceOnRealBrokers(t *testing.T) {
	t.Parallel()
	shelvesConform(t, realShelves())
}

func shelvesConform(t *testing.T, shelves map[string]func(t *testing.T) func() state.Shelf) {
	for place, make := range shelves {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			t.Run("values", func(t *testing.T) { t.Parallel(); testShelfValues(t, make(t)) })
			t.Run("many", func(t *testing.T) { t.Parallel(); testShelfMany(t, make(t)) })
		})
	}
}

func testShelfValues(t *testing.T, open func() state.Shelf) {
	s, other := open(), open()
	holds(t, s, "", map[string][]byte{})
	shelve(t, s, nil)
	holds(t, other, "", map[string][]byte{})
	shelve(t, s, map[string][]byte{"map/a.b-c_d/0/0": {0, '\n', 0xff}, "map/a/1/0": []byte("one"), "empty": {}, "direction": []byte("x")})
	shelve(t, other, map[string][]byte{"map/a/1/0": []byte("two"), "direction": nil, "never": nil})
	want := map[string][]byte{"map/a.b-c_d/0/0": {0, '\n', 0xff}, "map/a/1/0": []byte("two"), "empty": {}}
	for what, s := range map[string]state.Shelf{"who wrote first": s, "who wrote last": other, "a third": open()} {
		t.Log(what)
		holds(t, s, "", want)
	}
	holds(t, s, "map/a/", map[string][]byte{"map/a/1/0": []byte("two")})
	shelve(t, s, map[string][]byte{"direction": []byte("again"), "empty": nil})
	holds(t, other, "d", map[string][]byte{"direction": []byte("again")})
	holds(t, other, "e", map[string][]byte{})
}

// Several write at once, more than fits a batch, and often the same.
func testShelfMany(t *testing.T, open func() state.Shelf) {
	const writers, rounds = 3, 5
	want := map[string][]byte{}
	var wg sync.WaitGroup
	for w := range writers {
		s := open()
		for i := range 20 {
			want[fmt.Sprintf("%d/%d", w, i)] = bytes.Repeat([]byte{byte(rounds - 1)}, 20_000)
		}
		wg.Go(func() {
			for r := range rounds {
				values := map[string][]byte{}
				for i := range 20 {
					values[fmt.Sprintf("%d/%d", w, i)] = bytes.Repeat([]byte{byte(r)}, 20_000)
				}
				if err := s.Put(t.Context(), values); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	holds(t, open(), "", want)
	to := state.NewFileShelf(t.TempDir())
	shelve(t, to, map[string][]byte{"stale": {1}, "0/1": {2}})
	if n, err := state.CopyShelf(t.Context(), open(), to); n != len(want) || err != nil {
		t.Errorf("copied %d, %v", n, err)
	}
	holds(t, to, "", want)
}

// A line that a crash has torn never counted; one in the middle that is damaged
// is not passed over.
func TestFileShelfDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mirror", "shelf.jsonl")
	shelve(t, state.NewFileShelf(dir), map[string][]byte{"a": []byte("1")})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range []string{"01234567 {\"b\":", "\x00\x00\x00\x00", "\n01234567 {\"a\":\"AA\x00A\"}\n", "\n0123"} {
		if err := os.WriteFile(path, append(bytes.Clone(whole), torn...), 0o600); err != nil {
			t.Fatal(err)
		}
		holds(t, state.NewFileShelf(dir), "", map[string][]byte{"a": []byte("1")})
		shelve(t, state.NewFileShelf(dir), map[string][]byte{"c": []byte("3")})
		holds(t, state.NewFileShelf(dir), "", map[string][]byte{"a": []byte("1"), "c": []byte("3")})
	}
	damaged := strings.Replace(string(whole), "{\"a", "{\"b", 1) + string(whole)
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = state.NewFileShelf(dir).All(t.Context(), "")
	as[*state.DamagedError](t, err)
}

// A process that stands still in the middle of a Put holds nobody up, and the file
// is not replaced under its hands: its line would go to one that nobody reads.
func TestFileShelfWriterStandsStill(t *testing.T) {
	dir := t.TempDir()
	s := state.NewFileShelf(dir)
	shelve(t, s, map[string][]byte{"a": []byte("1")})
	frozen := flock.New(filepath.Join(dir, "mirror", "lock"))
	if ok, err := frozen.TryRLock(); err != nil || !ok {
		t.Fatal(ok, err)
	}
	defer frozen.Unlock()
	for i := range 100 {
		shelve(t, s, map[string][]byte{"b": bytes.Repeat([]byte{byte(i)}, 50_000)})
	}
	holds(t, s, "a", map[string][]byte{"a": []byte("1")})
	info, err := os.Stat(filepath.Join(dir, "mirror", "shelf.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 4<<20 { // of more than 6 MiB that were written
		t.Errorf("the file has %d bytes: it was written anew while somebody wrote", info.Size())
	}
}

// What is written all the time does not fill the disk, and who reads meanwhile
// follows.
func TestFileShelfIsTidied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, reader := state.NewFileShelf(dir), state.NewFileShelf(dir)
	for i := range 200 {
		value := bytes.Repeat([]byte{byte(i)}, 50_000)
		shelve(t, s, map[string][]byte{"a": value})
		holds(t, reader, "", map[string][]byte{"a": value})
	}
	info, err := os.Stat(filepath.Join(dir, "mirror", "shelf.jsonl"))
	if err != nil || info.Size() > 2<<20 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}

// What another one owns by now keeps nothing else from being kept, nor from being
// claimed: also where it turns out only when a Put is tried once more.
func TestShelfOneSupersededName(t *testing.T) {
	inner, dir := &lateLog{}, t.TempDir()
	slow := &cutLog{Log: inner}
	ofLog := func(l state.Log) func() state.Shelf {
		return func() state.Shelf { return state.NewLogShelf(l, "the topic", state.TTL(300*time.Millisecond)) }
	}
	file := func() state.Shelf { return state.NewFileShelf(dir) }
	for where, open := range map[string][2]func() state.Shelf{"log": {ofLog(slow), ofLog(inner)}, "file": {file, file}} {
		t.Run(where, func(t *testing.T) {
			a, b := open[0](), open[1]()
			claim := func(s state.Shelf, scopes ...string) {
				t.Helper()
				if err := s.Claim(t.Context(), scopes, nil); err != nil {
					t.Fatal(err)
				}
			}
			late := func(err error) {
				t.Helper()
				if e := as[*state.SupersededError](t, err); !slices.Equal(e.Names, []string{"acked/0"}) || !strings.Contains(e.Error(), "acked/0") {
					t.Errorf("not kept are %q", e.Names)
				}
			}
			put := func(value string) map[string][]byte {
				return map[string][]byte{"acked/0": []byte(value), "acked/1": []byte(value), "free": []byte(value)}
			}
			claim(a, "acked/0", "acked/1")
			claim(b, "acked/0")
			late(a.Put(t.Context(), put("one")))
			holds(t, open[1](), "", map[string][]byte{"acked/1": []byte("one"), "free": []byte("one")})
			if where != "log" {
				return // nothing is tried again there
			}
			claim(a, "acked/0")
			late(slow.during(t, a, put("two"), func() { claim(b, "acked/0") }))
			holds(t, open[1](), "", map[string][]byte{"acked/1": []byte("two"), "free": []byte("two")})
		})
	}
}

// Whoever stood still and has no lease any more claims nothing: the owner goes on
// keeping what it has.
func TestShelfClaimAsksForTheLease(t *testing.T) {
	log, dir := &lateLog{}, t.TempDir()
	for where, open := range map[string]func() state.Shelf{
		"log":  func() state.Shelf { return state.NewLogShelf(log, "the topic", state.TTL(time.Second)) },
		"file": func() state.Shelf { return state.NewFileShelf(dir) },
	} {
		t.Run(where, func(t *testing.T) {
			owner, scopes := open(), []string{"map/orders/0/"}
			if err := owner.Claim(t.Context(), scopes, func() error { return nil }); err != nil {
				t.Fatal(err)
			}
			gone := errors.New("the lease has run out")
			if err := open().Claim(t.Context(), scopes, func() error { return gone }); !errors.Is(err, gone) {
				t.Errorf("without a lease it is the owner, %v", err)
			}
			shelve(t, owner, map[string][]byte{"map/orders/0/000000": []byte("of the owner")})
		})
	}
}

// A file has the same rules: a process may have stood still between its look at
// the file and its line.
func TestFileShelfLateLine(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mirror", "shelf.jsonl")
	a := state.NewFileShelf(dir)
	read := func() []byte {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if err := a.Claim(t.Context(), []string{"map/orders/0/"}, nil); err != nil {
		t.Fatal(err)
	}
	shelve(t, a, map[string][]byte{"map/orders/0/0": []byte("1"), "rate": []byte("1")})
	before := read()
	shelve(t, a, map[string][]byte{"map/orders/0/0": []byte("late"), "map/orders/0/1": []byte("late"), "rate": []byte("late")})
	late := read()[len(before):]
	if err := errors.Join(os.Remove(path), os.WriteFile(path, before, 0o600)); err != nil { // the line was not written yet
		t.Fatal(err)
	}
	b := state.NewFileShelf(dir)
	if err := b.Claim(t.Context(), []string{"map/orders/0/"}, nil); err != nil {
		t.Fatal(err)
	}
	shelve(t, b, map[string][]byte{"rate": []byte("2")})
	if err := os.WriteFile(path, append(read(), late...), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"map/orders/0/0": []byte("1"), "rate": []byte("2")}
	holds(t, b, "", want)
	holds(t, state.NewFileShelf(dir), "", want)
	as[*state.SupersededError](t, a.Put(t.Context(), map[string][]byte{"map/orders/0/0": []byte("3")}))
	for i := range 60 { // until it is written anew
		shelve(t, b, map[string][]byte{"much": bytes.Repeat([]byte{byte(i)}, 50_000)})
	}
	shelve(t, b, map[string][]byte{"much": nil})
	if n := len(read()); n > 2<<20 {
		t.Errorf("%d bytes", n)
	}
	holds(t, state.NewFileShelf(dir), "", want)
	as[*state.SupersededError](t, a.Put(t.Context(), map[string][]byte{"map/orders/0/0": []byte("3")}))
}

// What an older kplan has kept is read, and replaced by what is kept now.
func TestShelfOfAnOlderVersion(t *testing.T) {
	log := &lateLog{}
	log.simLog.append([]string{"a", "b", "c", "c", "a"}, [][]byte{{1, 1, 1, '1'}, {1, 1, 1, 'x'}, {1, 1, 1, 'y'}, {1, 0, 2}, {1, 1, 2, '2'}})
	s := state.NewLogShelf(log, "the topic")
	holds(t, s, "", map[string][]byte{"a": []byte("2"), "b": []byte("x")})
	shelve(t, s, map[string][]byte{"a": []byte("3"), "c": []byte("z")})
	log.simLog.append([]string{"a"}, [][]byte{{1, 1, 2, '2'}}) // a late one
	for range 2 {
		holds(t, state.NewLogShelf(log, "the topic"), "", map[string][]byte{"a": []byte("3"), "b": []byte("x"), "c": []byte("z")})
		log.compact(0)
	}

	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "mirror"), 0o700); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, line := range []string{`{"a":"MQ==","b":"eA=="}`, `{"a":"Mg==","c":"eQ=="}`, `{"c":null}`} {
		text = fmt.Appendf(text, "\n%08x %s\n", crc32.Checksum([]byte(line), crc32.MakeTable(crc32.Castagnoli)), line)
	}
	if err := os.WriteFile(filepath.Join(dir, "mirror", "shelf.jsonl"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	f := state.NewFileShelf(dir)
	holds(t, f, "", map[string][]byte{"a": []byte("2"), "b": []byte("x")})
	shelve(t, f, map[string][]byte{"a": []byte("3"), "c": []byte("z")})
	holds(t, state.NewFileShelf(dir), "", map[string][]byte{"a": []byte("3"), "b": []byte("x"), "c": []byte("z")})
}
