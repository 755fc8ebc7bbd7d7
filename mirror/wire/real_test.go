package wire_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kplan/internal/kafkatest"
	"kplan/mirror/wire"
)

// Batches that are sent one behind the other come back as they went, through
// both listeners, also across logins.
func TestBatchesComeBackOnRealBrokers(t *testing.T) {
	for _, v := range versions() {
		for _, how := range []string{"plaintext", "secured"} {
			t.Run(string(v)+"/"+how, func(t *testing.T) {
				t.Parallel()
				cluster := real(t, v)
				o := wire.Options{Bootstrap: cluster.Bootstrap(kafkatest.Plaintext)}
				if how == "secured" {
					o = secured(t, cluster, kafkatest.Password)
				}
				client := open(t, o)
				p := wire.Partition{Topic: topic(t, cluster, 1, 1), Number: 0}
				id, err := client.ProducerID(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				conn, l := leader(t, client, p, 0)
				const each = 10
				sent, flying := int64(0), 5
				if how == "secured" && v == kafkatest.V2_8_2 {
					// It answers one request each 300 ms when they come together
					// (KAFKA-13559): the next login would come too late behind them.
					flying = 1
				}
				type done struct {
					at   int64
					acks []wire.Ack
					err  error
				}
				// Long enough for the broker to want a new login in between.
				for began := time.Now(); time.Since(began) < 5*time.Second; {
					results := make(chan done, flying)
					for range flying {
						at := sent
						err := conn.Produce(t.Context(), 10*time.Second, []wire.Batch{{Partition: p, Records: batch(id, int32(at), each, "value")}}, nil,
							func(acks []wire.Ack, _ time.Duration, err error) { results <- done{at, acks, err} })
						if err != nil {
							t.Fatal(err)
						}
						sent += each
					}
					for range flying {
						d := <-results
						if d.err != nil || len(d.acks) != 1 || d.acks[0].Err != nil || d.acks[0].BaseOffset != d.at {
							t.Fatalf("the batch for offset %d: %+v, %v", d.at, d.acks, d.err)
						}
					}
				}
				answer, err := conn.Fetch(t.Context(), wire.Fetch{
					Positions: []wire.Position{{Partition: p, LeaderEpoch: l.Epoch, LastEpoch: -1, MaxBytes: 1 << 20}},
					MaxWait:   time.Second, MinBytes: 1, MaxBytes: 1 << 20, ReadCommitted: true,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Release()
				got := answer.Partitions[0]
				want := batch(id, 0, each, "value")
				if got.Err != nil || got.HighWatermark != sent || got.LastStable != sent || got.LogStart != 0 || len(got.Records) < len(want) {
					t.Fatalf("fetched %+v", got)
				}
				if !bytes.Equal(got.Records[61:len(want)], want[61:]) {
					t.Error("the records of the first batch are others than those sent")
				}
				ends, unsettled, err := client.LogEnds(t.Context(), []wire.Partition{p})
				if err != nil || len(unsettled) > 0 || ends[p] != sent {
					t.Errorf("log end %v, unsettled %v, error %v; sent %d", ends, unsettled, err, sent)
				}
			})
		}
	}
}

// The broker's answers tell a duplicate, a gap and a stranger's topic apart.
func TestRefusalsOnRealBrokers(t *testing.T) {
	for _, v := range versions() {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel()
			cluster := real(t, v)
			client := open(t, wire.Options{Bootstrap: cluster.Bootstrap(kafkatest.Plaintext)})
			p := wire.Partition{Topic: topic(t, cluster, 1, 1), Number: 0}
			id, err := client.ProducerID(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			conn, _ := leader(t, client, p, 0)
			for _, c := range []struct {
				name     string
				to       wire.Partition
				sequence int32
				want     error
				base     int64
			}{
				{"first", p, 0, nil, 0},
				{"again", p, 0, nil, 0},
				{"gap", p, 7, kerr.OutOfOrderSequenceNumber, -1},
				{"next", p, 3, nil, 3},
				{"no such topic", wire.Partition{Topic: "nowhere"}, 0, kerr.UnknownTopicOrPartition, -1},
			} {
				acks, err := produce(t, conn, wire.Batch{Partition: c.to, Records: batch(id, c.sequence, 3, "v")})
				if err != nil || len(acks) != 1 || !errors.Is(acks[0].Err, c.want) || acks[0].BaseOffset != c.base {
					t.Errorf("%s: %+v, %v", c.name, acks, err)
				}
			}
		})
	}
}

func produce(t *testing.T, c *wire.Conn, batches ...wire.Batch) (got []wire.Ack, err error) {
	t.Helper()
	done := make(chan struct{})
	failed := c.Produce(t.Context(), 10*time.Second, batches, nil, func(acks []wire.Ack, _ time.Duration, e error) {
		got, err = acks, e
		close(done)
	})
	if failed != nil {
		return nil, failed
	}
	<-done
	return got, err
}

func TestWrongPasswordOnRealBrokers(t *testing.T) {
	client := open(t, secured(t, real(t, kafkatest.V4_3_0), "wrong"))
	_, err := client.Metadata(t.Context(), nil)
	var login *wire.LoginError
	if !errors.As(err, &login) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("got %v", err)
	}
}

// A broker that is killed fails what is under way; one that is frozen does when
// patience is over. Both can be spoken to again afterwards.
func TestBrokerGoesAwayOnRealBrokers(t *testing.T) {
	cluster := kafkatest.Start(t, kafkatest.Options{Version: kafkatest.V4_3_0})
	p := wire.Partition{Topic: topic(t, cluster, 1, 1), Number: 0}
	client := open(t, wire.Options{Bootstrap: cluster.Bootstrap(kafkatest.Plaintext), Patience: 2 * time.Second})
	for _, c := range []struct {
		name         string
		fault, after func() error
	}{
		{"frozen", func() error { return cluster.Pause(1) }, func() error { return cluster.Resume(1) }},
		{"killed", func() error { return cluster.Kill(1) }, func() error { return cluster.Restart(t.Context(), 1) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, l := leader(t, client, p, 0)
			if err := c.fault(); err != nil {
				t.Fatal(err)
			}
			_, err := conn.Fetch(t.Context(), wire.Fetch{
				Positions: []wire.Position{{Partition: p, LeaderEpoch: l.Epoch, LastEpoch: -1, MaxBytes: 1 << 20}},
				MaxWait:   time.Second, MinBytes: 1, MaxBytes: 1 << 20,
			})
			var broken *wire.BrokenError
			if !errors.As(err, &broken) {
				t.Errorf("while it is away: %v", err)
			}
			if err := c.after(); err != nil {
				t.Fatal(err)
			}
			until(t, func(ctx context.Context) bool {
				ends, _, err := client.LogEnds(ctx, []wire.Partition{p})
				return err == nil && len(ends) == 1
			})
		})
	}
}
