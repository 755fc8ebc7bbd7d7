package workload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"kplan/internal/cluster"
)

// deed is what one line of a ledger tells.
type deed byte

const (
	acknowledged deed = 'p' // the broker took the record
	refused      deed = 'x' // sending was given up; the record may be in the log or not
	received     deed = 'r' // the record was handled
)

// entry is one line of a ledger.
type entry struct {
	deed      deed
	at        int64 // unix nanoseconds
	topic     string
	partition int32
	offset    int64
	key       string
	seq       int64
	good      bool // the checksum held; true for what a service wrote itself
}

func (e entry) appendTo(b []byte) []byte {
	b = append(b, byte(e.deed), '\t')
	b = append(strconv.AppendInt(b, e.at, 10), '\t')
	b = append(append(b, e.topic...), '\t')
	b = append(strconv.AppendInt(b, int64(e.partition), 10), '\t')
	b = append(strconv.AppendInt(b, e.offset, 10), '\t')
	b = append(append(b, url.QueryEscape(e.key)...), '\t')
	b = append(strconv.AppendInt(b, e.seq, 10), '\t')
	return append(strconv.AppendBool(b, e.good), '\n')
}

func parseEntry(line string) (entry, error) {
	f := strings.Split(line, "\t")
	if len(f) != 8 || len(f[0]) != 1 {
		return entry{}, fmt.Errorf("%q is not a ledger line", line)
	}
	e := entry{deed: deed(f[0][0]), topic: f[2]}
	var errs [6]error
	var partition int64
	e.at, errs[0] = strconv.ParseInt(f[1], 10, 64)
	partition, errs[1] = strconv.ParseInt(f[3], 10, 32)
	e.partition = int32(partition)
	e.offset, errs[2] = strconv.ParseInt(f[4], 10, 64)
	e.key, errs[3] = url.QueryUnescape(f[5])
	e.seq, errs[4] = strconv.ParseInt(f[6], 10, 64)
	e.good, errs[5] = strconv.ParseBool(f[7])
	if err := errors.Join(errs[:]...); err != nil {
		return entry{}, fmt.Errorf("%q is not a ledger line: %w", line, err)
	}
	return e, nil
}

// ledger is the open ledger of a running service. It is safe for concurrent
// use. Lines reach the file within flushEvery.
type ledger struct {
	mu   sync.Mutex
	file *os.File
	buf  *bufio.Writer
	line []byte
	err  error // the first that happened; it sticks

	stop    chan struct{}
	stopped chan struct{}
}

const flushEvery = 100 * time.Millisecond

func ledgerFile(dir, service string, side cluster.Side) string {
	return filepath.Join(dir, ledgerDir, instance(service, side)+".ledger")
}

func openLedger(dir, service string, side cluster.Side) (*ledger, error) {
	file, err := os.OpenFile(ledgerFile(dir, service, side), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	if err := cutTornLine(file); err != nil {
		return nil, errors.Join(fmt.Errorf("repairing the ledger: %w", err), file.Close())
	}
	l := &ledger{file: file, buf: bufio.NewWriterSize(file, 256<<10), stop: make(chan struct{}), stopped: make(chan struct{})}
	go l.keepFlushed()
	return l, nil
}

// cutTornLine removes the half line that a killed process left at the end,
// since the next line would otherwise continue it.
func cutTornLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	tail := make([]byte, min(info.Size(), 64<<10))
	if _, err := file.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return err
	}
	torn := len(tail) - 1 - bytes.LastIndexByte(tail, '\n')
	if torn == 0 {
		return nil
	}
	return file.Truncate(info.Size() - int64(torn))
}

func (l *ledger) keepFlushed() {
	defer close(l.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			// The error sticks, and the next append returns it.
			_ = l.flush()
		}
	}
}

// append writes entries in one go, in their order.
func (l *ledger) append(entries ...entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if l.err != nil {
			break
		}
		l.line = e.appendTo(l.line[:0])
		_, l.err = l.buf.Write(l.line)
	}
	if l.err != nil {
		return fmt.Errorf("writing the ledger: %w", l.err)
	}
	return nil
}

func (l *ledger) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = l.buf.Flush()
	}
	return l.err
}

// close makes the ledger complete.
func (l *ledger) close() error {
	close(l.stop)
	<-l.stopped
	if err := errors.Join(l.flush(), l.file.Close()); err != nil {
		return fmt.Errorf("closing the ledger: %w", err)
	}
	return nil
}
