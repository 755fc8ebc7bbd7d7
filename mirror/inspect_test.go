package mirror_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// copied has a partition copied whose map is lost then, with that many records of
// 5 KiB each.
func (f *faked) copied(t *testing.T, records int) {
	t.Helper()
	cl := f.client(t, f.source, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(16<<10))
	var all []*kgo.Record
	for range records {
		all = append(all, &kgo.Record{Topic: fakedTopic, Value: bytes.Repeat([]byte{'x'}, 5<<10)})
	}
	if err := cl.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c, end := f.run(t, func(conf *mirror.Config) { conf.Limits.Apart = true })
	f.drained(t, c, f.partitions...)
	end()
	delete(f.store.kept, f.partitions[0])
}

// A look at the target that is interrupted goes on where it was, however often.
func TestALookAtTheTargetGoesOn(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.copied(t, 100)
	var mu sync.Mutex
	var at []int64
	offset := func(req kmsg.Request) int64 { return req.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset }
	f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, offset(req))
		return true
	}})
	for _, from := range []int64{30, 60, 90} {
		f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: fakedTopic, Err: kerr.NotLeaderForPartition, Count: 1, When: func(req kmsg.Request) bool {
			return offset(req) >= from
		}})
	}
	c, _ := f.run(t, func(conf *mirror.Config) { conf.Limits.Partition = 40 << 10 })
	f.drained(t, c, f.partitions...)
	mu.Lock()
	defer mu.Unlock()
	if len(at) < 10 {
		t.Fatalf("the target was read in %d steps", len(at))
	}
	for i, offset := range at[1:] {
		if offset < at[i] {
			t.Errorf("behind offset %d it began anew at %d: %v", at[i], offset, at)
		}
	}
}

// gate holds back what a connection reads beyond some bytes, until it is open.
type gate struct {
	net.Conn
	open <-chan struct{}
	left int
}

func (g *gate) Read(b []byte) (int, error) {
	if g.left <= 0 {
		<-g.open
	}
	n, err := g.Conn.Read(b[:min(len(b), 16<<10)])
	g.left -= n
	return n, err
}

// While the target of one partition is looked at, however long that takes, the
// others are begun, resumed and copied.
func TestALookAtTheTargetHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 3)
	f.partitions = f.partitions[:2]
	f.copied(t, 100)
	f.partitions = append(f.partitions, wire.Partition{Topic: fakedTopic, Number: 2})
	open := make(chan struct{})
	let := sync.OnceFunc(func() { close(open) })
	t.Cleanup(let)
	c, _ := f.run(t, func(conf *mirror.Config) {
		conf.Target = wire.New(wire.Options{Bootstrap: f.target.Bootstrap(), Pool: wire.NewPool(32 << 20), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			return &gate{c, open, 200 << 10}, err
		}})
		t.Cleanup(conf.Target.Close)
		conf.Limits.Partition = 40 << 10
	})
	f.write(t, 10)
	f.drained(t, c, f.partitions[1:]...)
	if s := c.Status()[0]; s.Phase != mirror.Resuming {
		t.Errorf("the one that is looked at is %s", s.Phase)
	}
	let()
	f.drained(t, c, f.partitions...)
	f.same(t, f.partitions...)
}
