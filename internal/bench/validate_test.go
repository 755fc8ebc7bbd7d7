//go:build bench

package bench

import (
	"testing"
	"time"
)

// TestValidate measures `kplan validate` of a large plan.
func TestValidate(t *testing.T) {
	bin, dir := binary(t), large(t, 200, 5000)
	r := row{name: "validate", size: "200 files, 5000 named topics", mark: mark{wall: time.Second}}
	for range runs {
		s := kplan(t, bin, dir, nil, "validate")
		if s.code != 0 {
			t.Fatalf("exit code %d\n%s", s.code, s.stderr[:min(len(s.stderr), 3000)])
		}
		r.samples = append(r.samples, s)
	}
	results.add(t, r)
}
