package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const journalName = "journal.jsonl"

// journalFile is an append-only file. It is safe for concurrent use by one
// process; the lock keeps other processes away.
type journalFile struct {
	path  string
	now   func() time.Time
	hooks hooks
	epoch int64 // of the records that it writes

	mu    sync.Mutex // guards what follows
	file  *os.File
	seq   int64
	wrote int
	torn  error // the tail of a failed append is still there: nothing can follow it
}

// readJournal reads the records of a file, and how many bytes of it are whole
// lines. It takes no lock and changes nothing. A file that does not exist has no
// records. A torn last line, as a crash leaves it, is ignored.
func readJournal(path string) (records []Record, whole int64, err error) {
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
		r, err := decodeRecord(data[:end])
		if err != nil {
			if newer := (*newerError)(nil); !errors.As(err, &newer) && len(data) == end+1 {
				return records, whole, nil // torn as well: a block that never reached the disk
			}
			return nil, 0, damaged(path, line, err)
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

// openJournal opens the journal of a directory for appending, and cuts a torn
// last line off. The caller holds the lock.
func openJournal(dir string, now func() time.Time, h hooks) (*journalFile, []Record, error) {
	path := filepath.Join(dir, journalName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, &WriteError{Path: path, Err: err}
	}
	records, whole, err := readJournal(path)
	if err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, &WriteError{Path: path, Err: err}
	}
	if err := file.Truncate(whole); err != nil {
		return nil, nil, errors.Join(&WriteError{Path: path, Err: err}, file.Close())
	}
	if _, err := file.Seek(whole, io.SeekStart); err != nil {
		return nil, nil, errors.Join(&WriteError{Path: path, Err: err}, file.Close())
	}
	if len(records) == 0 {
		if err := syncDir(dir); err != nil {
			return nil, nil, errors.Join(&WriteError{Path: path, Err: err}, file.Close())
		}
	}
	return &journalFile{path: path, now: now, hooks: h, file: file, seq: int64(len(records))}, records, nil
}

// Append numbers and dates records and returns them when they are on disk, all
// with one sync. After a failure the tail is cut off again, so that a later
// Append finds whole lines; where even that fails there is no later one.
func (j *journalFile) Append(records ...Record) ([]Record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	number(records, j.seq, j.epoch, j.now())
	if err := j.write(records); err != nil {
		return nil, err
	}
	return records, nil
}

// number makes records the next ones of a journal.
func number(records []Record, last, epoch int64, at time.Time) {
	for i := range records {
		r := &records[i]
		r.Version, r.Seq, r.Epoch, r.At = FormatVersion, last+int64(i)+1, epoch, at.UTC()
	}
}

// copyIn appends records as they are: they were numbered and dated elsewhere.
func (j *journalFile) copyIn(records []Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.write(records)
}

func (j *journalFile) write(records []Record) error {
	if j.torn != nil {
		return j.torn
	}
	var lines []byte
	for i := range records {
		line, err := json.Marshal(records[i])
		if err != nil {
			return fmt.Errorf("encoding a journal record: %w", err)
		}
		lines = append(append(lines, line...), '\n')
	}
	j.hooks.about(j.wrote, len(records))
	at, err := j.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return &WriteError{Path: j.path, Err: err}
	}
	_, err = j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		cut := j.file.Truncate(at)
		if _, seek := j.file.Seek(at, io.SeekStart); cut == nil {
			cut = seek
		}
		if cut != nil {
			j.torn = &WriteError{Path: j.path, Err: fmt.Errorf("%w, and what was written of it could not be cut off: %w", err, cut)}
			return j.torn
		}
		return &WriteError{Path: j.path, Err: err}
	}
	j.seq += int64(len(records))
	j.hooks.done(j.wrote, len(records))
	j.wrote += len(records)
	return nil
}

// Close closes the file.
func (j *journalFile) Close() error {
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
