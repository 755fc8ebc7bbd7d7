//go:build campaign

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// errand is what a process of the mirror has to do.
type errand struct {
	Workers, Compacted    bool
	ID, Topic             string
	Partitions            int
	Source, Target, State []string // addresses
	Folder                string   // of the state; "": it is in a topic
}

// errandFile is the environment variable with the path of an errand: with it the
// test program is a process of the mirror.
const errandFile = "KPLAN_TEST_WORKER"

func TestMain(m *testing.M) {
	if path := os.Getenv(errandFile); path != "" {
		if err := runErrand(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// realWait is longer than anything is under way for: what stalls, and what busy
// cores add.
const realWait = 5 * time.Second

// runErrand is the process. It ends in order when it is told so, and at once when
// whoever started it has ended.
func runErrand(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var e errand
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end says the same as its error
		os.Exit(3)
	}()
	var shelf state.Shelf = state.NewFileShelf(e.Folder)
	if e.Folder == "" {
		kept, end, err := shelfIn(ctx, log, e.State, shelfOf(e.Topic))
		if ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		defer func() { _ = end() }() // the process ends
		shelf = kept
	}
	// Little memory: what waits fills it while a fault lasts.
	limits := mirror.Limits{Fetch: 128 << 10, Partition: 32 << 10}
	c := &process{
		workers: e.Workers, id: e.ID, topic: e.Topic, partitions: e.Partitions, compacted: e.Compacted, sourceAt: e.Source, targetAt: e.Target, shelf: shelf,
		source: wire.New(wire.Options{Bootstrap: e.Source, Pool: wire.NewPool(512 << 10)}), target: wire.New(wire.Options{Bootstrap: e.Target, Pool: wire.NewPool(512 << 10)}),
		lease: func() error { return nil }, wait: realWait, session: worker.DefaultSession, limits: limits, log: log,
	}
	defer c.source.Close()
	defer c.target.Close()
	for c.producer, err = mirror.Identify(ctx, shelf, c.target, clusterName, false, nil); err != nil; {
		var lost *mirror.IdentityError
		if ctx.Err() != nil {
			return nil
		} else if errors.As(err, &lost) {
			return err
		}
		log.Warn("looking for the producer id", "err", err)
		pause(ctx)
		c.producer, err = mirror.Identify(ctx, shelf, c.target, clusterName, false, nil)
	}
	go c.tell()
	return c.run(ctx)
}

// clusterName is what the state has for the target.
const clusterName = "the target"

// shelfOf is the topic of the state of a play.
func shelfOf(topic string) string { return "_kplan." + topic + ".mirror" }

// tell prints which partitions are stopped, whenever that changes.
func (c *process) tell() {
	told := map[int32]string{}
	for range time.Tick(again) {
		now := c.stops()
		if len(now) == 0 && len(told) == 0 || reflect.DeepEqual(now, told) {
			continue
		}
		told = now
		raw, err := json.Marshal(now)
		if err != nil {
			panic(err) // strings by number
		}
		fmt.Println(string(raw))
	}
}
