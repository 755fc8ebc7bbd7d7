package workload_test

import (
	"testing"
	"time"

	"kplan/internal/cluster"
	"kplan/internal/workload"
)

// Services end when the process that they are for is gone: the system lets go of its
// lock, as it does here. Until then they go on.
func TestServicesEndWithTheirOwner(t *testing.T) {
	t.Parallel()
	b := setUp(t, chain(), bothSides(t))
	release, err := workload.Own(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := workload.Own(b.dir); err == nil {
		t.Error("they are two processes'")
	}
	b.start("C", cluster.Source)
	b.start("P", cluster.Source)
	b.start("A", cluster.Source)
	b.awaitReceived("c", "t2", 1000) // for two seconds
	if err := release(); err != nil {
		t.Fatal(err)
	}
	for _, service := range []string{"A", "P", "C"} {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			sides, err := b.c.Check(service)
			if err != nil {
				t.Fatal(err)
			}
			if len(sides) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s still runs", service)
			}
		}
	}
}
