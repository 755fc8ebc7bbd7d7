package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const journalName = "journal.jsonl"

// WriteError says that the journal cannot be written. Nothing that is not in
// the journal may be done, so the engine stops.
type WriteError struct {
	Path string
	Err  error
}

func (e *WriteError) Error() string {
	return fmt.Sprintf("writing the journal %s: %v. kplan does nothing that it cannot record: make the directory writable and make room, then apply again", e.Path, e.Err)
}

func (e *WriteError) Unwrap() error { return e.Err }

// DamagedError says that a journal cannot be understood.
type DamagedError struct {
	Path string
	Line int
	Why  string
	Do   string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s line %d: %s. %s", e.Path, e.Line, e.Why, e.Do)
}

// ReadError says that there is a journal and that it cannot be read.
type ReadError struct {
	Path string
	Err  error
}

func (e *ReadError) Error() string {
	why := e.Err
	var path *fs.PathError
	if errors.As(e.Err, &path) {
		why = path.Err // it names the file as well
	}
	return fmt.Sprintf("reading the state %s: %v. Check the path in the plan's state block, and that you may read it", e.Path, why)
}

func (e *ReadError) Unwrap() error { return e.Err }

// Journal is an append-only file. It is safe for concurrent use by one
// process; the lock keeps other processes away.
type Journal struct {
	path     string
	now      func() time.Time
	onAppend func(records int)

	mu    sync.Mutex // guards what follows
	file  *os.File
	seq   int64
	wrote int
}

// Dir is the directory of a migration's state.
func Dir(statePath, migration string) string { return filepath.Join(statePath, migration) }

// Read folds the journal of a directory. It takes no lock and changes nothing.
// A directory without a journal is the state of a migration that was never
// applied. A torn last line, as a crash leaves it, is ignored.
func Read(dir string) (State, error) {
	records, _, err := read(filepath.Join(dir, journalName))
	if err != nil {
		return State{}, err
	}
	return Replay(records), nil
}

func read(path string) (records []Record, whole int64, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, &ReadError{Path: path, Err: err}
	}
	for line := 1; len(data) > 0; line++ {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return records, whole, nil // torn: the record was never acknowledged
		}
		var r Record
		if err := json.Unmarshal(data[:end], &r); err != nil {
			if len(data) == end+1 {
				return records, whole, nil // torn as well: a block that never reached the disk
			}
			return nil, 0, &DamagedError{Path: path, Line: line, Why: "the record is damaged: " + err.Error(),
				Do: "Restore the file from a copy. Without one, move the directory away and compare both clusters by hand before the next apply"}
		}
		if r.Version > FormatVersion {
			return nil, 0, &DamagedError{Path: path, Line: line,
				Why: fmt.Sprintf("the state has format version %d and this kplan knows %d", r.Version, FormatVersion),
				Do:  "It was written by a newer kplan: use that one"}
		}
		if want := int64(line); r.Seq != want {
			return nil, 0, &DamagedError{Path: path, Line: line,
				Why: fmt.Sprintf("record number %d stands where %d is expected", r.Seq, want),
				Do:  "Lines were lost or added: restore the file from a copy"}
		}
		records = append(records, r)
		whole += int64(end) + 1
		data = data[end+1:]
	}
	return records, whole, nil
}

// Open opens the journal of a directory for appending, and cuts a torn last
// line off. The caller holds the lock. onAppend, if not nil, is called after
// each record that is on disk, with how many this Journal has written.
func Open(dir string, now func() time.Time, onAppend func(records int)) (*Journal, State, error) {
	path := filepath.Join(dir, journalName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, State{}, &WriteError{Path: path, Err: err}
	}
	records, whole, err := read(path)
	if err != nil {
		return nil, State{}, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, State{}, &WriteError{Path: path, Err: err}
	}
	if err := file.Truncate(whole); err != nil {
		return nil, State{}, errors.Join(&WriteError{Path: path, Err: err}, file.Close())
	}
	if _, err := file.Seek(whole, 0); err != nil {
		return nil, State{}, errors.Join(&WriteError{Path: path, Err: err}, file.Close())
	}
	j := &Journal{path: path, now: now, onAppend: onAppend, file: file, seq: int64(len(records))}
	if len(records) == 0 {
		if err := syncDir(dir); err != nil {
			return nil, State{}, errors.Join(&WriteError{Path: path, Err: err}, file.Close())
		}
	}
	return j, Replay(records), nil
}

// Append numbers and dates records and returns them when they are on disk, all
// with one sync. After a failure the tail is cut off again, so that a later
// Append finds whole lines.
func (j *Journal) Append(records ...Record) ([]Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []byte
	for i := range records {
		r := &records[i]
		r.Version, r.Seq, r.At = FormatVersion, j.seq+int64(i)+1, j.now().UTC()
		line, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encoding a journal record: %w", err)
		}
		lines = append(append(lines, line...), '\n')
	}
	at, err := j.file.Seek(0, 1)
	if err != nil {
		return nil, &WriteError{Path: j.path, Err: err}
	}
	_, err = j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		cut := j.file.Truncate(at)
		if _, seek := j.file.Seek(at, 0); cut == nil {
			cut = seek
		}
		return nil, &WriteError{Path: j.path, Err: errors.Join(err, cut)}
	}
	for range records {
		j.seq++
		j.wrote++
		if j.onAppend != nil {
			j.onAppend(j.wrote)
		}
	}
	return records, nil
}

// Close closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
