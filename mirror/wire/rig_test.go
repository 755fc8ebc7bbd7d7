package wire_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kplan/internal/kafkatest"
	"kplan/mirror/wire"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) { os.Exit(brokers.Main(m)) }

// real is one cluster for most tests of a version.
func real(t *testing.T, v kafkatest.Version) *kafkatest.Cluster {
	t.Helper()
	return brokers.Shared(t, kafkatest.Stock(v))
}

func versions() []kafkatest.Version { return []kafkatest.Version{kafkatest.V4_3_0, kafkatest.V2_8_2} }

func open(t *testing.T, o wire.Options) *wire.Client {
	t.Helper()
	if o.Pool == nil {
		o.Pool = wire.NewPool(64 << 20)
	}
	c := wire.New(o)
	t.Cleanup(c.Close)
	return c
}

func secured(t *testing.T, c *kafkatest.Cluster, pass string) wire.Options {
	t.Helper()
	return wire.Options{
		Bootstrap: c.Bootstrap(kafkatest.Relogin),
		TLS:       &tls.Config{RootCAs: c.Authority().Pool(), MinVersion: tls.VersionTLS12},
		SASL:      scram.Auth{User: "kplan", Pass: pass}.AsSha512Mechanism(),
	}
}

var names atomic.Int64

// topic creates one and waits until it has leaders.
func topic(t *testing.T, c *kafkatest.Cluster, partitions, replicas int) string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	name := fmt.Sprintf("wire-%d-%d", os.Getpid(), names.Add(1))
	resp, err := kadm.NewClient(client).CreateTopic(t.Context(), int32(partitions), int16(replicas), nil, name)
	if err != nil || resp.Err != nil {
		t.Fatal(err, resp.Err)
	}
	w := open(t, wire.Options{Bootstrap: c.Bootstrap(kafkatest.Plaintext)})
	until(t, func(ctx context.Context) bool {
		m, err := w.Metadata(ctx, []string{name})
		if err != nil || len(m.Topics[name].Leaders) != partitions {
			return false
		}
		for _, l := range m.Topics[name].Leaders {
			if l.Broker < 0 {
				return false
			}
		}
		return true
	})
	return name
}

func until(t *testing.T, holds func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for !holds(ctx) {
		select {
		case <-ctx.Done():
			t.Fatal("waited for a minute")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// batch is a record batch of format 2 with n records of the same value.
func batch(producer int64, sequence int32, n int, value string) []byte {
	var records []byte
	for i := range n {
		var r []byte
		r = append(r, 0) // attributes
		r = binary.AppendVarint(r, 0)
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, -1) // no key
		r = binary.AppendVarint(r, int64(len(value)))
		r = append(r, value...)
		r = append(r, 0) // no headers
		records = append(binary.AppendVarint(records, int64(len(r))), r...)
	}
	b := make([]byte, 61, 61+len(records))
	be := binary.BigEndian
	be.PutUint32(b[8:], uint32(49+len(records)))
	be.PutUint32(b[12:], 0xffffffff) // leader epoch
	b[16] = 2
	be.PutUint32(b[23:], uint32(n-1))
	now := uint64(time.Now().UnixMilli())
	be.PutUint64(b[27:], now)
	be.PutUint64(b[35:], now)
	be.PutUint64(b[43:], uint64(producer))
	be.PutUint32(b[53:], uint32(sequence))
	be.PutUint32(b[57:], uint32(n))
	b = append(b, records...)
	be.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// leader returns a connection to the broker that leads a partition.
func leader(t *testing.T, c *wire.Client, p wire.Partition, lane int) (*wire.Conn, wire.Leader) {
	t.Helper()
	m, err := c.Metadata(t.Context(), []string{p.Topic})
	if err != nil {
		t.Fatal(err)
	}
	l := m.Topics[p.Topic].Leaders[p.Number]
	conn, err := c.Broker(t.Context(), l.Broker, lane)
	if err != nil {
		t.Fatal(err)
	}
	return conn, l
}
