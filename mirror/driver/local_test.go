package driver_test

import (
	"testing"

	"kplan/internal/cluster"
	"kplan/mirror"
)

// settledOf says which partitions are noted as left in order.
func (s *stage) settledOf(topic string) int {
	s.t.Helper()
	all, err := s.shelf.All(s.t.Context(), "settled/"+topic+"/")
	if err != nil {
		s.t.Fatal(err)
	}
	return len(all)
}

// When End has returned nothing is written to the topic any more, whatever comes on
// the source; what was copied is known all the same, workers would hear of it, and
// the next one need not wait. Other topics go on.
func TestLocalEnd(t *testing.T) {
	t.Parallel()
	s := newStage(t, "orders", "payments")
	s.write("orders", 20)
	m := s.local()
	if err := m.Begin(t.Context(), []string{"orders", "payments"}); err != nil {
		t.Fatal(err)
	}
	copied := func(topic string) func() bool {
		return func() bool { lag := lagOf(t, m, topic); return lag.Records == 0 && lag.Unknown == 0 }
	}
	s.until("orders are copied", copied("orders"))
	if err := m.End(t.Context(), []string{"orders"}); err != nil {
		t.Fatal(err)
	}
	if s.settledOf("orders") != 1 || s.settledOf("payments") != 0 {
		t.Errorf("noted as left in order: %d of orders, %d of payments", s.settledOf("orders"), s.settledOf("payments"))
	}
	d, err := mirror.ReadDirections(t.Context(), s.shelf)
	if err != nil || d.Of("orders") != mirror.Halted || d.Of("payments") != mirror.Forward {
		t.Errorf("the directions are %+v, %v", d, err)
	}
	s.write("orders", 5)
	s.write("payments", 5)
	s.until("payments are copied", func() bool { return s.end("payments") == 5 })
	if n := s.end("orders"); n != 20 {
		t.Errorf("%d records were copied behind the end", n-20)
	}
	s.until("the lag is that of what was kept", func() bool { return lagOf(t, m, "orders").Records == 5 })
	at := cluster.TopicPartition{Topic: "orders"}
	for position, known := range map[int64]bool{7: true, 20: true, 21: false} {
		there, err := m.Translate(t.Context(), map[cluster.TopicPartition]int64{at: position})
		if to, ok := there[at]; err != nil || ok != known || ok && to.Offset != position {
			t.Errorf("offset %d is at %v, %v", position, there, err)
		}
	}
	if err := m.Begin(t.Context(), []string{"orders"}); err != nil { // as a restore does (R13)
		t.Fatal(err)
	}
	s.until("it goes on", func() bool { return s.end("orders") == 25 })
	if n := s.settledOf("orders"); n != 0 {
		t.Errorf("%d notes are left while it is copied", n)
	}
}

// Where nothing was begun, since an earlier apply has ended the copy, there is only
// the direction to be kept.
func TestLocalEndOfNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, "orders")
	m := s.local()
	if err := m.End(t.Context(), []string{"orders"}); err != nil {
		t.Fatal(err)
	}
	if d, err := mirror.ReadDirections(t.Context(), s.shelf); err != nil || d.Of("orders") != mirror.Halted {
		t.Errorf("the directions are %+v, %v", d, err)
	}
}
