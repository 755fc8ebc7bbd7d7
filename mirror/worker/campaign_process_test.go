//go:build campaign

package worker_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// child is a process of the mirror.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser // its end is that of the child
	log   string         // file
	asked atomic.Bool    // it was told to end
	over  chan struct{}

	mu    sync.Mutex
	stops map[int32]string
}

// process starts one.
func (b *realBrokers) process(p *play) (*member, error) {
	n := b.born.Add(1)
	e := errand{
		Workers: p.workers, Compacted: p.compacted, ID: fmt.Sprint("w", n), Topic: p.topic, Partitions: len(p.ids),
		Source: behind(b.source, dataListener, dataAddress), Target: behind(b.target, dataListener, dataAddress), State: behind(b.source, stateListener, stateAddress),
		Folder: b.folders[p],
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, fmt.Sprintf("%s-%d", p.topic, n))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(os.Args[0]), log: path + ".log", over: make(chan struct{})}
	log, err := os.Create(c.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	c.cmd.Env, c.cmd.Stderr = append(os.Environ(), errandFile+"="+path), log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	m := &member{stopped: c.stopped, stop: c.stop, said: c.tail, ended: make(chan error, 1)}
	go func() {
		c.listen(out)
		err := c.cmd.Wait()
		if text := c.fatal(); text != "" {
			p.wrong("a process of the mirror says: %s", text)
		}
		if !c.asked.Load() {
			p.wrong("a process of the mirror ended by itself (%v): %s", err, c.tail())
		}
		close(c.over)
		m.ended <- err
	}()
	m.kill = func() {
		b.killed.Add(1)
		c.kill()
	}
	b.Cleanup(c.kill)
	return m, nil
}

// listen takes what it says of its partitions.
func (c *child) listen(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		stops := map[int32]string{}
		if json.Unmarshal(lines.Bytes(), &stops) != nil {
			stops[-1] = lines.Text()
		}
		c.mu.Lock()
		c.stops = stops
		c.mu.Unlock()
	}
}

func (c *child) stopped() map[int32]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stops // replaced, never changed
}

func (c *child) stop() {
	c.asked.Store(true)
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(err) // it is a child of ours
	}
}

func (c *child) kill() {
	c.asked.Store(true)
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		panic(err) // it is a child of ours
	}
	<-c.over
	_ = c.in.Close() // the process is gone
}

// fatal is what a program says that breaks down; "": it does not.
func (c *child) fatal() string {
	raw, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	for _, mark := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if at := bytes.Index(raw, []byte(mark)); at >= 0 {
			return string(raw[at:min(len(raw), at+4000)])
		}
	}
	return ""
}

func (c *child) tail() string {
	raw, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
