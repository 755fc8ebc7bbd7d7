package mirror_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kplan/internal/kafkatest"
)

// child is a mirror in a process of its own.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	said   map[string]chan struct{} // closed when it has said so
	exited chan struct{}
	err    error // how it ended; read after exited
	log    string

	mu      sync.Mutex
	stopped []string
}

// start starts a mirror on the scene's store.
func (s *scene) start(t *testing.T, change func(*errand)) *child {
	t.Helper()
	e := errand{
		Source: s.source.Bootstrap(kafkatest.Plaintext), Target: s.target.Bootstrap(kafkatest.Plaintext), Through: maps.Clone(s.through),
		Folder: s.folder, Topic: s.topic, Partitions: len(s.partitions), Patience: 10 * time.Second,
	}
	l := s.limits()
	e.Limits.Batch, e.Limits.Fetch, e.Limits.Partition, e.Limits.Request = l["Batch"], l["Fetch"], l["Partition"], l["Request"]
	if change != nil {
		change(&e)
	}
	s.children++
	path := filepath.Join(t.TempDir(), "errand")
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	m := &child{cmd: exec.Command(os.Args[0]), log: path + ".log", exited: make(chan struct{}), said: map[string]chan struct{}{}}
	for _, what := range []string{saysCopying, saysSending, saysMoving, saysDrained} {
		m.said[what] = make(chan struct{})
	}
	log, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the child has its own
	m.cmd.Env = append(os.Environ(), errandFile+"="+path)
	m.cmd.Stderr = log
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go m.listen(out)
	t.Cleanup(func() { m.kill(t) })
	return m
}

func (m *child) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if c, ok := m.said[lines.Text()]; ok {
			close(c)
			continue
		}
		m.mu.Lock()
		m.stopped = append(m.stopped, lines.Text())
		m.mu.Unlock()
	}
	m.err = m.cmd.Wait()
	close(m.exited)
}

// whyStopped tells what the child has said of stopped partitions.
func (m *child) whyStopped() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.stopped, "\n")
}

// await waits until the child has said something, or has ended.
func (m *child) await(t *testing.T, what string) {
	t.Helper()
	select {
	case <-m.said[what]:
	case <-m.exited:
		t.Fatalf("the mirror ended before it was %s: %v\n%s", what, m.err, m.tail())
	case <-time.After(2 * time.Minute):
		t.Fatalf("the mirror was not %s within two minutes\n%s\n%s", what, m.whyStopped(), m.tail())
	}
}

// kill ends it with SIGKILL and looks at what it has left behind.
func (m *child) kill(t *testing.T) {
	t.Helper()
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-m.exited
	_ = m.in.Close() // the process is gone
	raw, err := os.ReadFile(m.log)
	if err == nil && (bytes.Contains(raw, []byte("DATA RACE")) || bytes.Contains(raw, []byte("panic:"))) {
		t.Errorf("the mirror said:\n%s", raw)
	}
}

// want tells the child up to where to copy.
func (m *child) want(t *testing.T, ends []int64) {
	t.Helper()
	raw, err := json.Marshal(ends)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.in.Write(append(raw, '\n')); err != nil {
		t.Fatalf("the mirror has ended: %v\n%s", err, m.tail())
	}
}

// drain lets the child copy all that the source has, and end.
func (s *scene) drain(t *testing.T, m *child) error {
	t.Helper()
	ends := make([]int64, len(s.partitions))
	for p, end := range s.ends(t, s.source) {
		ends[p.Number] = end
	}
	m.want(t, ends)
	select {
	case <-m.exited:
	case <-time.After(3 * time.Minute):
		return fmt.Errorf("the mirror did not copy everything within three minutes: %s\n%s", m.whyStopped(), m.tail())
	}
	if m.err != nil {
		return fmt.Errorf("%w: %s\n%s", m.err, m.whyStopped(), m.tail())
	}
	return nil
}

func (m *child) tail() string {
	raw, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
