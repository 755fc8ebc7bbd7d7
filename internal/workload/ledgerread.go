package workload

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// ledgerReader reads the complete lines of a ledger that may still grow.
type ledgerReader struct {
	path   string
	offset int64
	lines  int
}

// all yields every complete line that appeared since the last call. A ledger
// that does not exist yet is empty. An error is the last thing yielded.
func (r *ledgerReader) all() iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		if err := r.read(func(e entry) bool { return yield(e, nil) }); err != nil {
			yield(entry{}, err)
		}
	}
}

func (r *ledgerReader) read(yield func(entry) bool) error {
	file, err := os.Open(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading a ledger: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	if _, err := file.Seek(r.offset, io.SeekStart); err != nil {
		return fmt.Errorf("reading ledger %s: %w", filepath.Base(r.path), err)
	}
	in := bufio.NewReaderSize(file, 256<<10)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil // the rest of a line that is being written comes next time
		}
		if err != nil {
			return fmt.Errorf("reading ledger %s: %w", filepath.Base(r.path), err)
		}
		r.offset += int64(len(line))
		r.lines++
		e, err := parseEntry(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return fmt.Errorf("reading ledger %s, line %d: %w", filepath.Base(r.path), r.lines, err)
		}
		if !yield(e) {
			return nil
		}
	}
}

// merged yields the entries of several ledgers by their time, each ledger in
// its own order, together with the ledger's index. The clock of a line never
// runs back within a ledger: a line that looks older than the one before counts
// as of the same time.
func merged(ledgers []*ledgerReader, yield func(which int, e entry) error) error {
	type head struct {
		next func() (entry, error, bool)
		e    entry
		at   int64
		open bool
	}
	heads := make([]head, len(ledgers))
	advance := func(h *head) error {
		e, err, ok := h.next()
		if err != nil {
			return err
		}
		h.e, h.open, h.at = e, ok, max(h.at, e.at)
		return nil
	}
	for i, l := range ledgers {
		next, stop := iter.Pull2(l.all())
		defer stop()
		heads[i].next = next
		if err := advance(&heads[i]); err != nil {
			return err
		}
	}
	for {
		first := -1
		for i := range heads {
			if heads[i].open && (first < 0 || heads[i].at < heads[first].at) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		if err := yield(first, heads[first].e); err != nil {
			return err
		}
		if err := advance(&heads[first]); err != nil {
			return err
		}
	}
}
