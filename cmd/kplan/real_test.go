package main

import (
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// The migrations of this file run on real Apache Kafka, with three services as
// processes of their own under constant load and auto.offset.reset=latest.

func TestProductionFirstOnRealBrokers(t *testing.T) {
	for _, c := range []struct {
		name                       string
		source                     kafkatest.Options
		sourceListen, targetListen kafkatest.Listener
	}{
		{"first-28-43", kafkatest.Stock(kafkatest.V2_8_2), kafkatest.Plaintext, kafkatest.Plaintext},
		{"first-28-43-tls", kafkatest.Stock(kafkatest.V2_8_2), kafkatest.SASLTLS, kafkatest.SASLTLS},
		{"first-43-43", kafkatest.Guarded(kafkatest.V4_3_0, 1), kafkatest.Plaintext, kafkatest.Plaintext},
		{"first-43-43-tls", kafkatest.Guarded(kafkatest.V4_3_0, 1), kafkatest.SASLTLS, kafkatest.SASLTLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, scenarioOptions{
				example: "production-first", name: c.name, rate: 200,
				source: real(t, c.source, c.sourceListen), target: real(t, kafkatest.Stock(kafkatest.V4_3_0), c.targetListen),
			})
			s.start()
			s.flow(200)
			s.must(exitDifferences, "verify")
			s.must(exitDifferences, "diff", "--detailed-exitcode")
			s.must(exitDone, "apply", "--yes")
			s.flow(200)
			s.must(exitDone, "verify")
			s.must(exitDone, "diff", "--detailed-exitcode")
			if r := s.prove(); !r.Clean() {
				t.Errorf("records were lost, repeated or out of order: %v", r.Sentences())
			}
		})
	}
}

// The same migration with the placement left out must be caught (R9).
func TestWithoutPlacementRecordsAreLostOnRealBrokers(t *testing.T) {
	t.Parallel()
	s := newScenario(t, scenarioOptions{
		example: "production-first", name: "sabotage", rate: 200,
		source: real(t, kafkatest.Stock(kafkatest.V2_8_2), kafkatest.Plaintext), target: real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.Plaintext),
	})
	s.start()
	s.flow(200)
	s.must(exitDone, "apply", "--yes", "--sabotage", "skip-placement")
	var lost int64
	for _, topic := range s.prove().Topics {
		for _, g := range topic.Readers {
			lost += g.Lost
		}
	}
	if lost == 0 {
		t.Error("nothing was lost without the placement: the test proves nothing")
	}
}

func TestProductionLaterOnRealBrokers(t *testing.T) {
	t.Parallel()
	s := newScenario(t, scenarioOptions{
		example: "production-later", name: "later", rate: 200,
		source: real(t, kafkatest.Stock(kafkatest.V2_8_2), kafkatest.Plaintext), target: real(t, kafkatest.Stock(kafkatest.V4_3_0), kafkatest.Plaintext),
	})
	s.start()
	s.flow(200)
	s.must(exitDone, "apply", "--yes")
	s.flow(200)
	s.must(exitDone, "verify")
	r := s.prove()
	if !r.CleanPerCluster() {
		t.Errorf("records were lost or repeated, or out of order on one cluster: %v", r.Sentences())
	}
	producer, consumer := pauseOf(r, "shop", "produced"), pauseOf(r, "billing", "received")
	if limit := producer + 2*time.Second; consumer > limit {
		t.Errorf("the consumer paused for %s, the producer for %s: want at most %s", consumer, producer, limit)
	}
}
