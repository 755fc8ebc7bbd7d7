package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// The files of a shelf, in a directory of their own beside the journal.
const (
	shelfDir  = "mirror"
	shelfName = "shelf.jsonl"
	shelfLock = "lock"
)

// shelfWhat names it in errors.
const shelfWhat = "the mirror's state"

const (
	shelfSlack = 1 << 20 // bytes of old values that are not worth writing all anew
	shelfWait  = 5 * time.Millisecond
)

// FileShelf keeps its values in one file of a local disk. Each Put appends one
// line, a checksum and a JSON object of entries, and syncs the file once, however
// many values it has. Which entry counts is for shelfFold to say, since a process
// may have stood still before it wrote its line. When most of the file is old
// values it is written anew.
//
// Lines are appended by one write each, which the system keeps apart, so that
// writers do not wait for each other: one that stands still, or is frozen, holds
// nobody up. They share a lock that keeps the file from being replaced under
// their hands; who replaces it has the lock alone for that moment, and leaves it
// for later where somebody else has it.
type FileShelf struct {
	dir string

	mu     sync.Mutex // guards what follows
	fold   *shelfFold
	claims map[string]claimed // that this one has made, by scope
	file   *os.File           // that was read; it stays open, so that no other file can be taken for it
	read   int64              // bytes of it that are in fold
}

var _ Shelf = (*FileShelf)(nil)

// NewFileShelf returns the shelf of a migration whose state is in that
// directory. Nothing is touched before the first call.
func NewFileShelf(dir string) *FileShelf {
	return &FileShelf{dir: filepath.Join(dir, shelfDir), fold: newShelfFold(), claims: map[string]claimed{}}
}

func (s *FileShelf) path() string { return filepath.Join(s.dir, shelfName) }

// Close gives the file back. The shelf can be used again.
func (s *FileShelf) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forget()
}

// All reads what has been added since the last time.
func (s *FileShelf) All(ctx context.Context, prefix string) (map[string][]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.catchUp(); err != nil {
		return nil, err
	}
	return s.fold.visible(prefix), nil
}

// Put appends a line, and reads it back.
func (s *FileShelf) Put(ctx context.Context, values map[string][]byte) error {
	if len(values) == 0 {
		return nil
	}
	var others []string
	late, err := s.write(ctx, func() (puts []shelfPut, err error) {
		puts, others = following(s.fold, s.claims, values)
		return puts, nil
	})
	return cmp.Or(err, superseded(append(others, late...)))
}

// Claim makes this shelf the owner of scopes.
func (s *FileShelf) Claim(ctx context.Context, scopes []string, lease func() error) error {
	if len(scopes) == 0 {
		return nil
	}
	late, err := s.write(ctx, func() (puts []shelfPut, err error) {
		if err := mayClaim(lease); err != nil {
			return nil, err
		}
		for _, scope := range scopes {
			claim := shelved{kind: entryClaim, epoch: s.fold.owners[scope].epoch + 1}
			puts = append(puts, shelfPut{name: scope, shelved: claim})
			s.claims[scope] = claimed{epoch: claim.epoch, lease: lease}
		}
		return puts, nil
	})
	return cmp.Or(err, superseded(late))
}

// write appends the entries that follow what is in the file while nobody writes
// it anew, and returns the names of those that count for nobody.
func (s *FileShelf) write(ctx context.Context, entries func() ([]shelfPut, error)) (late []string, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, &WriteError{Path: s.dir, What: shelfWhat, Err: err}
	}
	lock := s.lock()
	if ok, err := lock.TryRLockContext(ctx, shelfWait); err != nil || !ok {
		return nil, fmt.Errorf("waiting until %s is written anew: %w", s.path(), errors.Join(err, context.Cause(ctx)))
	}
	size, late, err := s.writeLocked(entries)
	if unlockErr := lock.Unlock(); unlockErr != nil {
		err = errors.Join(err, &WriteError{Path: s.path(), What: shelfWhat, Err: unlockErr})
	}
	if err != nil {
		return nil, err
	}
	return late, s.tidy(size)
}

func (s *FileShelf) writeLocked(entries func() ([]shelfPut, error)) (size int64, late []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.catchUp(); err != nil {
		return 0, nil, err
	}
	puts, err := entries()
	if err != nil || len(puts) == 0 {
		return 0, nil, err
	}
	try := newID()
	for i := range puts {
		puts[i].key = puts[i].name + keySeparator + try
	}
	line, err := shelfLine(puts)
	if err != nil {
		return 0, nil, err
	}
	if size, err = s.append(line); err != nil {
		return 0, nil, &WriteError{Path: s.path(), What: shelfWhat, Err: err}
	}
	s.fold.await(puts)
	defer clear(s.fold.own)
	if err := s.catchUp(); err != nil {
		return 0, nil, err
	}
	return size, s.fold.late(puts), nil
}

func (s *FileShelf) lock() *flock.Flock {
	return flock.New(filepath.Join(s.dir, shelfLock), flock.SetPermissions(0o600))
}

// append writes a line and returns how long the file is then.
func (s *FileShelf) append(line []byte) (size int64, err error) {
	_, missing := os.Stat(s.path())
	file, err := os.OpenFile(s.path(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	if _, err = file.Write(line); err == nil {
		err = file.Sync()
	}
	if err == nil && missing != nil {
		err = syncDir(s.dir)
	}
	if info, statErr := file.Stat(); err == nil && statErr == nil {
		size = info.Size()
	}
	return size, errors.Join(err, file.Close())
}

// tidy writes the file anew when most of it is old, unless somebody writes.
func (s *FileShelf) tidy(size int64) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size < shelfSlack+4*s.fold.size {
		return nil
	}
	if err := s.catchUp(); err != nil { // most of it, before others have to wait
		return err
	}
	if size < shelfSlack+4*s.fold.size {
		return nil
	}
	lock := s.lock()
	if ok, err := lock.TryLock(); err != nil || !ok {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := s.catchUp(); err != nil {
		return err
	}
	// Nobody is in the middle of a Put: what was removed need not be remembered.
	var lines []byte
	for _, some := range [][]shelfPut{s.fold.entries(s.fold.values), s.fold.entries(s.fold.owners)} { // a claim does away with what comes behind it
		line, err := shelfLine(some)
		if err != nil {
			return err
		}
		lines = append(lines, line...)
	}
	return writeWhole(s.dir, shelfName, lines)
}

// catchUp reads on. It is called with mu held.
func (s *FileShelf) catchUp() error {
	there, err := os.Stat(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return s.forget()
	}
	if err == nil && s.file != nil {
		var seen os.FileInfo
		if seen, err = s.file.Stat(); err == nil && !os.SameFile(seen, there) {
			err = s.forget()
		}
	}
	if err == nil && s.file == nil {
		if s.file, err = os.Open(s.path()); err == nil {
			there, err = s.file.Stat()
		}
	}
	var added []byte
	if err == nil && there.Size() > s.read {
		added, err = io.ReadAll(io.NewSectionReader(s.file, s.read, there.Size()-s.read))
	}
	if err != nil {
		return &ReadError{Path: s.path(), Err: err}
	}
	return s.takeLines(added)
}

// forget begins anew. It is called with mu held.
func (s *FileShelf) forget() error {
	file := s.file
	s.fold, s.file, s.read = newShelfFold(), nil, 0
	if file == nil {
		return nil
	}
	if err := file.Close(); err != nil {
		return &ReadError{Path: s.path(), Err: err}
	}
	return nil
}

// takeLines takes whole lines. One without an end is being written just now, or
// never will be.
func (s *FileShelf) takeLines(added []byte) error {
	for len(added) > 0 {
		end := bytes.IndexByte(added, '\n')
		if end < 0 {
			return nil
		}
		if line := added[:end]; len(line) > 0 {
			err := s.takeLine(line)
			switch {
			case err == nil:
			case !torn(line):
				return &DamagedError{Path: s.path(), Why: fmt.Sprintf("the line at byte %d is damaged: %v", s.read, err),
					Do: "It holds the mirror's producer id and offset maps: restore the file from a copy, beside no running mirror"}
			}
		}
		s.read += int64(end) + 1
		added = added[end+1:]
	}
	return nil
}

// torn reports whether a line that cannot be read is what a crash or a full disk
// has left of it, which was never acknowledged: its end is missing, or a part
// that never reached the disk.
func torn(line []byte) bool {
	return !bytes.HasSuffix(line, []byte{'}'}) || bytes.IndexByte(line, 0) >= 0
}

// takeLine takes the entries of a line. Those of the first form were values, or
// null for one that was removed, of which the last one counted.
func (s *FileShelf) takeLine(line []byte) error {
	rest, entries := bytes.CutPrefix(line, []byte(lineOfEntries))
	values, err := shelfValues(rest)
	if err != nil {
		return err
	}
	for name, value := range values {
		switch {
		case entries:
			if err := s.fold.take(name, value); err != nil {
				return fmt.Errorf("the entry %q %w", name, err)
			}
		case value == nil:
			s.fold.add(name, shelved{kind: entryRemoved, named: true})
		default:
			s.fold.add(name, shelved{kind: entryValue, value: value, named: true})
		}
	}
	clear(s.fold.stale) // nothing is compacted here
	return nil
}

// lineOfEntries begins a line that has entries and not values.
const lineOfEntries = "entries "

// shelfLine makes a line of entries. JSON writes bytes as base64, so that there is
// no other line break in it, and no brace but at its ends. It begins with a line
// break of its own: what a torn one has left does not spoil it.
func shelfLine(puts []shelfPut) ([]byte, error) {
	values := make(map[string][]byte, len(puts))
	for _, p := range puts {
		values[p.key] = p.encode()
	}
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encoding values for the shelf: %w", err)
	}
	return fmt.Appendf(nil, "\n%s%08x %s\n", lineOfEntries, crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)), text), nil
}

func shelfValues(line []byte) (map[string][]byte, error) {
	head, text, ok := bytes.Cut(line, []byte{' '})
	if want := fmt.Sprintf("%08x", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))); !ok || string(head) != want {
		return nil, fmt.Errorf("its checksum is %.20q, and its bytes give %s", head, want)
	}
	var values map[string][]byte
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, err
	}
	return values, nil
}
