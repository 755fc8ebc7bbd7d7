package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Versions of an entry of a shelf. The first had no owners, and lay under its
// name, where a compaction keeps whichever came last.
const (
	shelfVersionNamed = 1
	shelfVersion      = 2
)

// entryKind is what an entry of a shelf says.
type entryKind byte

const (
	entryRemoved entryKind = 0
	entryValue   entryKind = 1
	entryClaim   entryKind = 2 // its name is a scope, and its epoch the new owner's
)

// shelved is one entry of a shelf.
type shelved struct {
	kind   entryKind
	epoch  uint64 // of the owner that wrote it; 0: nobody has claimed the name
	serial uint64 // one more than that of the value that it follows
	value  []byte
	key    string // under which a log has it
	named  bool   // of the first version
}

// after reports whether an entry replaces another one: strictly, so that of two
// that follow the same value the first one in the log counts, for everybody.
func (v shelved) after(w shelved) bool {
	return v.epoch > w.epoch || v.epoch == w.epoch && v.serial > w.serial
}

// keySeparator stands between a name and what makes the key of a try its own. No
// name has it.
const keySeparator = "\x00"

// shelfFold is what the entries of a shelf come to, in the order in which they
// lie there. An entry counts when it follows the one that counted before, and
// its owner's epoch is not below that of the last claim of its name: so one that
// arrives late changes nothing, however late it is, and whatever was not written
// since. What does not count any more is removed by the next who writes the name,
// or claims it; until then it lies there under a key of its own, so that a
// compaction cannot put it in the place of what counts.
type shelfFold struct {
	values map[string]shelved  // the entry that counts, by name
	owners map[string]shelved  // the claim that counts, by scope
	stale  map[string][]string // keys of entries that do not count, by name
	own    map[string]bool     // keys that somebody waits for: whether they counted when they were read
	size   int64               // about the bytes of what counts
}

func newShelfFold() *shelfFold {
	return &shelfFold{values: map[string]shelved{}, owners: map[string]shelved{}, stale: map[string][]string{}, own: map[string]bool{}}
}

// take takes the next entry of a log; nil: the key was removed.
func (f *shelfFold) take(key string, entry []byte) error {
	name, _, _ := strings.Cut(key, keySeparator)
	if entry == nil {
		f.forget(name, key)
		return nil
	}
	v, err := decodeShelved(entry)
	if err != nil {
		return err
	}
	v.key = key
	f.add(name, v)
	return nil
}

// add takes an entry, and reports whether it counts.
func (f *shelfFold) add(name string, v shelved) bool {
	counting, floor := f.values, f.epochOf(name)
	if v.kind == entryClaim {
		counting, floor = f.owners, 0
	}
	top, there := counting[name]
	follows := !there || v.after(top)
	if v.named && top.named { // both lie under the name, and of equals the last counted
		follows = v.serial >= top.serial
	}
	if v.epoch < floor || !follows {
		if v.key != top.key { // else it is a second try of what counts
			f.stale[name] = append(f.stale[name], v.key)
		}
		return false
	}
	if there && top.key != v.key {
		f.stale[name] = append(f.stale[name], top.key)
	}
	f.size += v.need(name)
	if there {
		f.size -= top.need(name)
	}
	counting[name] = v
	if _, waits := f.own[v.key]; waits {
		f.own[v.key] = true
	}
	return true
}

func (f *shelfFold) forget(name, key string) {
	left := slices.DeleteFunc(f.stale[name], func(k string) bool { return k == key })
	if len(left) == 0 {
		delete(f.stale, name)
		return
	}
	f.stale[name] = left
}

// scopeOf is the longest claimed prefix of a name that ends with it or with a
// slash; "": nobody has claimed it.
func (f *shelfFold) scopeOf(name string) string {
	if len(f.owners) == 0 {
		return ""
	}
	for end := len(name); end > 0; end = strings.LastIndexByte(name[:end-1], '/') + 1 {
		if _, ok := f.owners[name[:end]]; ok {
			return name[:end]
		}
	}
	return ""
}

func (f *shelfFold) epochOf(name string) uint64 { return f.owners[f.scopeOf(name)].epoch }

// visible are the values, by name.
func (f *shelfFold) visible(prefix string) map[string][]byte {
	some := map[string][]byte{}
	for name, v := range f.values {
		if v.kind == entryValue && strings.HasPrefix(name, prefix) {
			some[name] = v.value
		}
	}
	return some
}

// next is the entry that follows what a name has now.
func (f *shelfFold) next(name string, epoch uint64, value []byte) shelved {
	v := shelved{kind: entryValue, epoch: epoch, serial: f.values[name].serial + 1, value: value}
	if value == nil {
		v.kind = entryRemoved
	}
	return v
}

// open reports whether an entry that is not there yet would count.
func (f *shelfFold) open(p shelfPut) bool {
	if p.kind == entryClaim {
		return p.after(f.owners[p.name])
	}
	return p.epoch >= f.epochOf(p.name) && p.after(f.values[p.name])
}

// staleIn are the keys under a scope that do not count; names are those that have
// some, in order. Those of earlier claims come last: without them, what they keep
// out would count again.
func (f *shelfFold) staleIn(scope string, names []string) []string {
	if !strings.HasSuffix(scope, "/") {
		return f.stale[scope] // one that only begins alike is another name
	}
	var all []string
	for i, _ := slices.BinarySearch(names, scope); i < len(names) && strings.HasPrefix(names[i], scope); i++ {
		if names[i] != scope {
			all = append(all, f.stale[names[i]]...)
		}
	}
	slices.Sort(all)
	return append(all, f.stale[scope]...)
}

// await has entries watched that are written now.
func (f *shelfFold) await(puts []shelfPut) {
	for _, p := range puts {
		f.own[p.key] = false
	}
}

// late are the names of entries that were read back and do not count.
func (f *shelfFold) late(puts []shelfPut) (names []string) {
	for _, p := range puts {
		if !f.own[p.key] && !f.same(p) {
			names = append(names, p.name)
		}
	}
	return names
}

// same reports whether somebody else has kept the same.
func (f *shelfFold) same(p shelfPut) bool {
	now := f.values[p.name]
	return p.kind != entryClaim && now.kind == p.kind && bytes.Equal(now.value, p.value)
}

// entries are those that have something to say, to be written anew.
func (f *shelfFold) entries(counting map[string]shelved) []shelfPut {
	var all []shelfPut
	for name, v := range counting {
		if v.kind != entryRemoved {
			v.named = false
			if v.key == "" {
				v.key = name + keySeparator
			}
			all = append(all, shelfPut{name: name, shelved: v})
		}
	}
	return all
}

// need is about how many bytes an entry takes, as JSON has them.
func (v shelved) need(name string) int64 { return int64(len(name) + len(v.value)*4/3 + 12) }

// encode makes the bytes of an entry: version, kind, epoch, serial, value.
func (v shelved) encode() []byte {
	b := binary.AppendUvarint([]byte{shelfVersion, byte(v.kind)}, v.epoch)
	return append(binary.AppendUvarint(b, v.serial), v.value...)
}

func decodeShelved(b []byte) (shelved, error) {
	if len(b) < 3 {
		return shelved{}, errors.New("is not one that kplan wrote")
	}
	if b[0] != shelfVersion && b[0] != shelfVersionNamed {
		return shelved{}, fmt.Errorf("has version %d, and this kplan knows %d: use a newer one", b[0], shelfVersion)
	}
	v := shelved{kind: entryKind(b[1]), named: b[0] == shelfVersionNamed}
	rest := b[2:]
	numbers := []*uint64{&v.epoch, &v.serial}
	if v.named {
		numbers = numbers[1:]
	}
	for _, n := range numbers {
		read, size := binary.Uvarint(rest)
		if size <= 0 {
			return shelved{}, errors.New("is damaged")
		}
		*n, rest = read, rest[size:]
	}
	if v.kind > entryClaim || v.named && v.kind == entryClaim {
		return shelved{}, errors.New("is damaged")
	}
	if v.kind == entryValue {
		v.value = append([]byte{}, rest...)
	}
	return v, nil
}
