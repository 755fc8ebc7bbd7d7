package mirror_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// errand is what a mirror in a process of its own has to do.
type errand struct {
	Source, Target []string          // bootstrap
	Through        map[string]string // the proxy before a broker's address
	Folder         string            // of the store
	Topic          string
	Partitions     int
	Limits         mirror.Limits
	MaxAge, Wait   time.Duration
	Patience       time.Duration

	// Owner, if any, takes the lease on everything, at its start and for good; a
	// mirror that has lost it may not write.
	Owner string

	// Sabotage is the control: a new producer id for each process, and the log
	// end alone says where it goes on.
	Sabotage bool
}

// errandFile is the environment variable with the path of an errand: with it the
// test program is a mirror.
const errandFile = "KPLAN_TEST_MIRROR"

// What the mirror tells on its standard output, one a line. On its input it
// takes, one a line, source offsets up to which it has to copy; then it ends.
const (
	saysCopying = "copying" // all partitions
	saysSending = "sending" // something waits for its acknowledgement
	saysMoving  = "moving"  // something was acknowledged
	saysDrained = "drained"
	saysStopped = "stopped " // and why
)

// runErrand is the process.
func runErrand(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var e errand
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	source, target := e.client(e.Source), e.client(e.Target)
	defer source.Close()
	defer target.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := folder{path: e.Folder, volatile: e.Sabotage}
	id, err := store.producer(ctx, target)
	if err != nil {
		return err
	}
	lease, err := store.lease(e.Owner)
	if err != nil {
		return err
	}
	known, err := e.known(ctx, store, target)
	if err != nil {
		return err
	}
	c, err := mirror.New(mirror.Config{
		Source: source, Target: target, Producer: mirror.Producer{ID: id}, Partitions: known, Store: store, Limits: e.Limits,
		MaxAge: e.MaxAge, Wait: e.Wait, Lease: lease, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	go tell(c)
	// The end of the input is the end of whoever started this process.
	in := bufio.NewScanner(os.Stdin)
	if !in.Scan() {
		return errors.Join(errors.New("nobody wants anything any more"), in.Err())
	}
	ends := map[wire.Partition]int64{}
	var numbers []int64
	if err := json.Unmarshal(in.Bytes(), &numbers); err != nil {
		return err
	}
	for i, n := range numbers {
		ends[wire.Partition{Topic: e.Topic, Number: int32(i)}] = n
	}
	go func() {
		if !in.Scan() { // the end of whoever started this process
			cancel()
		}
	}()
	if err := c.Drained(ctx, ends); err != nil {
		return err
	}
	cancel()
	if err := <-ran; err != nil {
		return err
	}
	fmt.Println(saysDrained)
	return nil
}

// tell prints what has become true, once each.
func tell(c *mirror.Copier) {
	told := map[string]bool{}
	once := func(s string) {
		if !told[s] {
			told[s] = true
			fmt.Println(s)
		}
	}
	for range time.Tick(2 * time.Millisecond) {
		copying, sending, moving := true, false, false
		for _, s := range c.Status() {
			copying = copying && s.Phase == mirror.Copying
			sending = sending || s.Waiting > 0
			moving = moving || s.Records > 0
			if s.Phase == mirror.Stopped {
				once(fmt.Sprintf("%s[%d] %v", saysStopped, s.Number, s.Why))
			}
		}
		if copying {
			once(saysCopying)
		}
		if sending {
			once(saysSending)
		}
		if moving {
			once(saysMoving)
		}
	}
}

func (e errand) client(bootstrap []string) *wire.Client {
	return wire.New(wire.Options{
		Bootstrap: bootstrap, Pool: wire.NewPool(32 << 20), Patience: e.Patience,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if detour, ok := e.Through[address]; ok {
				address = detour
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	})
}

func (e errand) ids() []wire.Partition {
	var all []wire.Partition
	for i := range e.Partitions {
		all = append(all, wire.Partition{Topic: e.Topic, Number: int32(i)})
	}
	return all
}

func (e errand) known(ctx context.Context, store folder, target *wire.Client) (map[wire.Partition]mirror.Assignment, error) {
	if !e.Sabotage {
		return store.load(e.ids())
	}
	all := map[wire.Partition]mirror.Assignment{}
	for len(all) < e.Partitions {
		ends, _, err := target.LogEnds(ctx, e.ids())
		if err != nil {
			return nil, err
		}
		for p, end := range ends {
			m, err := mirror.NewMap(mirror.Point{})
			if err == nil && end > 0 {
				err = m.Append(mirror.Segment{Length: end})
			}
			if err != nil {
				return nil, err
			}
			all[p] = mirror.Assignment{Offsets: m}
		}
	}
	return all, nil
}
