package mirror_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
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
		copying, moving := true, false
		for _, s := range c.Status() {
			copying = copying && s.Phase == mirror.Copying
			moving = moving || s.Records > 0
			if s.Phase == mirror.Stopped {
				once(fmt.Sprintf("%s[%d] %v", saysStopped, s.Number, s.Why))
			}
		}
		if copying {
			once(saysCopying)
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

// folder is a store in files. Where the copies began, and the producer id, are
// durable; the maps are not.
type folder struct {
	path     string
	volatile bool // the control's
}

// producer returns the producer id, asked for once and written down before its
// first use.
func (f folder) producer(ctx context.Context, target *wire.Client) (int64, error) {
	name := filepath.Join(f.path, "producer")
	raw, err := os.ReadFile(name)
	if err == nil && !f.volatile {
		var id int64
		return id, json.Unmarshal(raw, &id)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	id, err := target.ProducerID(ctx)
	if err != nil {
		return 0, err
	}
	return id, durable(name, fmt.Append(nil, id))
}

// lease takes the lease and returns how to ask for it.
func (f folder) lease(owner string) (func(wire.Partition) error, error) {
	if owner == "" {
		return nil, nil
	}
	name := filepath.Join(f.path, "owner")
	return func(wire.Partition) error {
		now, err := os.ReadFile(name)
		if err == nil && string(now) != owner {
			err = fmt.Errorf("the lease is with %s", now)
		}
		return err
	}, durable(name, []byte(owner))
}

func (f folder) Begin(p wire.Partition, at mirror.Beginning) error {
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return durable(filepath.Join(f.path, fmt.Sprintf("begin-%d", p.Number)), raw)
}

func (f folder) Keep(maps map[wire.Partition]*mirror.Map) error {
	for p, m := range maps {
		raw, err := m.MarshalBinary()
		if err != nil {
			return err
		}
		name := filepath.Join(f.path, fmt.Sprintf("map-%d", p.Number))
		if err := os.WriteFile(name+".new", raw, 0o600); err != nil {
			return err
		}
		if err := os.Rename(name+".new", name); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) load(ids []wire.Partition) (map[wire.Partition]mirror.Assignment, error) {
	all := map[wire.Partition]mirror.Assignment{}
	for _, p := range ids {
		a, err := f.one(p)
		if err != nil {
			return nil, err
		}
		all[p] = a
	}
	return all, nil
}

func (f folder) one(p wire.Partition) (mirror.Assignment, error) {
	raw, err := os.ReadFile(filepath.Join(f.path, fmt.Sprintf("begin-%d", p.Number)))
	if errors.Is(err, fs.ErrNotExist) {
		return mirror.Assignment{}, nil
	}
	var begin mirror.Beginning
	if err == nil {
		err = json.Unmarshal(raw, &begin)
	}
	if err != nil {
		return mirror.Assignment{}, err
	}
	offsets, err := mirror.NewMap(begin.Point)
	if err != nil {
		return mirror.Assignment{}, err
	}
	raw, err = os.ReadFile(filepath.Join(f.path, fmt.Sprintf("map-%d", p.Number)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		err = offsets.UnmarshalBinary(raw)
	}
	return mirror.Assignment{Offsets: offsets, Topics: begin.Topics}, err
}

// durable writes a file that is there, whole, or not at all.
func durable(name string, content []byte) error {
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
