package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/mirror/batch"
)

// The journal is read whatever format a broker keeps it in, from the middle of a
// batch and not beyond the end; what is damaged is said, and what came before
// stands.
func TestDeliver(t *testing.T) {
	log := bytes.Join([][]byte{
		MessageBytes(3, 0, []byte("a"), []byte("1")), MessageBytes(4, 0, []byte("b"), nil),
		BatchBytes(5, 0, 7, transactional|control, 0), BatchBytes(6, 3, -1, 0, 0, 1, 3),
	}, nil)
	read := func(from, end int64) (got []string, next int64, err error) {
		next, err = deliver(log, from, end, func(offset int64, key string, value []byte) error {
			text := fmt.Sprintf("%d %s=%s", offset, key, value)
			if value == nil {
				text = fmt.Sprintf("%d %s gone", offset, key)
			}
			got = append(got, text)
			return nil
		})
		return got, next, err
	}
	for _, c := range []struct {
		from, end, next int64
		want            []string
	}{
		{0, 10, 10, []string{"3 a=1", "4 b gone", "6 k=v", "7 k=v", "9 k=v"}},
		{4, 10, 10, []string{"4 b gone", "6 k=v", "7 k=v", "9 k=v"}},
		{7, 8, 8, []string{"7 k=v"}},
		{10, 10, 10, nil},
	} {
		got, next, err := read(c.from, c.end)
		if d := cmp.Diff(c.want, got); d != "" || next != c.next || err != nil {
			t.Errorf("from %d to %d: up to %d, %v (-want +got):\n%s", c.from, c.end, next, err, d)
		}
	}
	enough := errors.New("enough")
	next, err := deliver(log, 0, 10, func(offset int64, _ string, _ []byte) error {
		if offset == 4 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || next != 4 {
		t.Errorf("refused at offset 4: up to %d, %v", next, err)
	}
	log[len(log)-1] ^= 1
	var damage *batch.DamageError
	if got, next, err := read(0, 10); !errors.As(err, &damage) || len(got) != 2 || next != 6 {
		t.Errorf("damaged: %q up to %d, %v", got, next, err)
	}
}
