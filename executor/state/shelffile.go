package state

import (
	"bytes"
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

// FileShelf keeps its values in one file. Each Put appends one line, a checksum
// and a JSON object of values (null: removed), and syncs the file once, however
// many values it has. When most of the file is old values it is written anew. A
// lock, held while something is written, keeps other processes from writing at
// once; readers need none.
type FileShelf struct {
	dir string

	mu     sync.Mutex // guards what follows
	values map[string][]byte
	read   int64       // bytes of the file that are in values
	seen   os.FileInfo // the file that was read; another one has been written anew
}

var _ Shelf = (*FileShelf)(nil)

// NewFileShelf returns the shelf of a migration whose state is in that
// directory. Nothing is touched before the first call.
func NewFileShelf(dir string) *FileShelf { return &FileShelf{dir: filepath.Join(dir, shelfDir)} }

func (s *FileShelf) path() string { return filepath.Join(s.dir, shelfName) }

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
	return withPrefix(s.values, prefix), nil
}

// Put appends a line.
func (s *FileShelf) Put(ctx context.Context, values map[string][]byte) (err error) {
	if len(values) == 0 {
		return nil
	}
	line, err := shelfLine(values)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return &WriteError{Path: s.dir, What: shelfWhat, Err: err}
	}
	lock := flock.New(filepath.Join(s.dir, shelfLock), flock.SetPermissions(0o600))
	if ok, err := lock.TryLockContext(ctx, shelfWait); err != nil || !ok {
		return fmt.Errorf("waiting for others who write to %s: %w", s.path(), errors.Join(err, context.Cause(ctx)))
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := s.catchUp(); err != nil {
		return err
	}
	if err := s.append(line); err != nil {
		return &WriteError{Path: s.path(), What: shelfWhat, Err: err}
	}
	s.read += int64(len(line))
	s.take(values)
	return s.tidy()
}

// append writes behind what was read: a torn line that a crash left there goes.
func (s *FileShelf) append(line []byte) error {
	file, err := os.OpenFile(s.path(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fresh := s.seen == nil
	if err = file.Truncate(s.read); err == nil {
		_, err = file.WriteAt(line, s.read)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil && fresh {
		if s.seen, err = file.Stat(); err == nil {
			err = syncDir(s.dir)
		}
	}
	return errors.Join(err, file.Close())
}

// tidy writes the file anew when most of it is old.
func (s *FileShelf) tidy() error {
	var live int64
	for name, value := range s.values {
		live += int64(len(name) + len(value)*4/3 + 8)
	}
	if s.read < shelfSlack+4*live {
		return nil
	}
	line, err := shelfLine(s.values)
	if err == nil {
		err = writeWhole(s.dir, shelfName, line)
	}
	if err != nil {
		return err
	}
	s.seen = nil // read again the next time
	return nil
}

// catchUp reads on. It is called with mu held.
func (s *FileShelf) catchUp() error {
	file, err := os.Open(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		s.values, s.read, s.seen = map[string][]byte{}, 0, nil
		return nil
	}
	if err != nil {
		return &ReadError{Path: s.path(), Err: err}
	}
	info, err := file.Stat()
	if err == nil && (s.seen == nil || !os.SameFile(info, s.seen)) {
		s.values, s.read, s.seen = map[string][]byte{}, 0, info
	}
	var added []byte
	if err == nil && info.Size() > s.read {
		added, err = io.ReadAll(io.NewSectionReader(file, s.read, info.Size()-s.read))
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return &ReadError{Path: s.path(), Err: err}
	}
	return s.takeLines(added)
}

// takeLines takes whole lines. What is torn at the end was never acknowledged,
// or is being written just now.
func (s *FileShelf) takeLines(added []byte) error {
	for len(added) > 0 {
		end := bytes.IndexByte(added, '\n')
		if end < 0 {
			return nil
		}
		values, err := shelfValues(added[:end])
		if err != nil {
			if len(added) == end+1 {
				return nil
			}
			return &DamagedError{Path: s.path(), Why: fmt.Sprintf("the line at byte %d is damaged: %v", s.read, err),
				Do: "It holds the mirror's producer id and offset maps: restore the file from a copy, beside no running mirror"}
		}
		s.take(values)
		s.read += int64(end) + 1
		added = added[end+1:]
	}
	return nil
}

func (s *FileShelf) take(values map[string][]byte) {
	for name, value := range values {
		if value == nil {
			delete(s.values, name)
			continue
		}
		s.values[name] = bytes.Clone(value)
	}
}

// shelfLine makes a line of values. JSON writes bytes as base64, so that there is
// no other line break in it.
func shelfLine(values map[string][]byte) ([]byte, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encoding values for the shelf: %w", err)
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)), text), nil
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
