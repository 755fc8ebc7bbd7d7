package cluster_test

import (
	"testing"

	"kplan/internal/cluster"
)

// What a terminal would obey, or not show, is not printed as it is.
func TestSteers(t *testing.T) {
	for _, r := range "\x1b\x07\x7f\u009b\u200b\u202e\u2028\u2029\ufeff\n\t" {
		if !cluster.Steers(r) {
			t.Errorf("%U is printed", r)
		}
	}
	for _, r := range "a é 日 🙂 \u00a0 →" {
		if cluster.Steers(r) {
			t.Errorf("%U is not printed", r)
		}
	}
}
