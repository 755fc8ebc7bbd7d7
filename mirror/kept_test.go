package mirror_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// What was kept of one partition and cannot be read stops that one, by name and
// with a way out, is left as it is, and holds up none of the others.
func TestOneUnreadablePartitionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(value []byte) []byte{
		"map/":   func(v []byte) []byte { v[len(v)-1] ^= 1; return v },
		"begin/": func([]byte) []byte { return []byte("{") },
		"acked/": func([]byte) []byte { return []byte(`{"source":"ten"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s := newFaked(t, 2), newShelf()
			bad, good := f.partitions[0], f.partitions[1]
			onShelf := func(k *mirror.Keeper) func(*mirror.Config) {
				known, err := k.Assignments(t.Context(), f.partitions)
				if err != nil || len(known) != 2 {
					t.Fatal(known, err)
				}
				return func(conf *mirror.Config) { conf.Store, conf.Partitions, conf.Wait = k, known, time.Second }
			}
			f.write(t, 20)
			c, end := f.run(t, onShelf(mirror.NewKeeper(s)))
			f.drained(t, c, f.partitions...)
			end()
			spoiled := 0
			for at, v := range s.values {
				if strings.HasPrefix(at, name+fakedTopic+"/0") {
					s.values[at] = spoil(v)
					spoiled++
				}
			}
			if spoiled != 1 {
				t.Fatalf("%d values were spoiled", spoiled)
			}
			f.write(t, 20)
			k := mirror.NewKeeper(s)
			before := f.ends(t, f.target)[bad]
			c, end = f.run(t, onShelf(k))
			f.drained(t, c, good)
			f.same(t, good)
			got := standing(t, c, bad, func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
			var unreadable *mirror.UnreadableError
			if !errors.As(got.Why, &unreadable) || !strings.Contains(got.Why.Error(), "kplan mirror --anew "+fakedTopic) {
				t.Errorf("it says: %v", got.Why)
			}
			named(t, got)
			end()
			if after := f.ends(t, f.target)[bad]; after != before {
				t.Errorf("it was copied on, from %d to %d", before, after)
			}
			copied, unproven, err := k.Load(t.Context(), f.partitions)
			if err != nil || len(copied) != 1 || copied[good] == nil || len(unproven) != 0 {
				t.Errorf("what is copied: %v, %v, %v", copied, unproven, err)
			}
			acked, err := k.Acked(t.Context(), []string{fakedTopic})
			if _, told := acked[bad]; err != nil || told != (name != "acked/") || acked[good].Source != 40 {
				t.Errorf("what is acknowledged: %v, %v", acked, err)
			}
			again, err := mirror.NewKeeper(s).Assignments(t.Context(), []wire.Partition{bad})
			if err != nil || again[bad].Unreadable == nil {
				t.Errorf("behind it, it is %+v, %v", again[bad], err)
			}
		})
	}
}
