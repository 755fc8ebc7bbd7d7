//go:build bench

package mirrorbench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// copying is a mirror in a process of its own: checksums, offset map, state in
// files and a look at the standing once a second are on.
type copying struct {
	Source, Target []string
	Topic          string
	Partitions     int
	Dir            string
	Profile        string        // a file for a CPU profile
	Limits         mirror.Limits // variants
}

func (c *copying) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	source := wire.New(wire.Options{Bootstrap: c.Source, Pool: wire.NewPool(64 << 20)})
	target := wire.New(wire.Options{Bootstrap: c.Target, Pool: wire.NewPool(16 << 20)})
	defer source.Close()
	defer target.Close()
	id, err := target.ProducerID(ctx)
	if err != nil {
		return err
	}
	conf := mirror.Config{
		Source: source, Target: target, Producer: mirror.Producer{ID: id}, Limits: c.Limits,
		Partitions: map[wire.Partition]*mirror.Map{}, Store: &files{dir: c.Dir, maps: map[string][]byte{}},
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	for i := range c.Partitions {
		conf.Partitions[wire.Partition{Topic: c.Topic, Number: int32(i)}] = nil
	}
	copier, err := mirror.New(conf)
	if err != nil {
		return err
	}
	go watch(ctx, copier)
	return copier.Run(ctx)
}

// watch asks for the standing as metrics do, and tells of what is stopped.
func watch(ctx context.Context, c *mirror.Copier) {
	for range time.Tick(time.Second) {
		if ctx.Err() != nil {
			return
		}
		for _, s := range c.Status() {
			if s.Why != nil {
				fmt.Fprintln(os.Stderr, s.Topic, s.Number, s.Phase, s.Why)
			}
		}
	}
}

// files is a store of two files, written through to the disk.
type files struct {
	dir  string
	mu   sync.Mutex
	maps map[string][]byte
}

func (f *files) Begin(p wire.Partition, at mirror.Point) error {
	out, err := os.OpenFile(filepath.Join(f.dir, "begun"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := fmt.Fprintln(out, p.Topic, p.Number, at.Source, at.Target); err != nil {
		return err
	}
	return out.Sync()
}

func (f *files) Keep(maps map[wire.Partition]*mirror.Map) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, m := range maps {
		text, err := json.Marshal(m.Segments())
		if err != nil {
			return err
		}
		f.maps[fmt.Sprint(p.Topic, "/", p.Number)] = text
	}
	out, err := os.CreateTemp(f.dir, "maps-")
	if err != nil {
		return err
	}
	defer out.Close()
	for name, text := range f.maps {
		if _, err := fmt.Fprintf(out, "%s %s\n", name, text); err != nil {
			return err
		}
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return os.Rename(out.Name(), filepath.Join(f.dir, "maps"))
}
