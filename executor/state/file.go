package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// fileIdentity is what Moved calls a directory.
const fileIdentity = "file"

// File keeps the state of a migration in a directory of this machine: the
// journal, appended to and synced; a lock that dies with its process; and a
// file per request. Files are made with mode 0600, directories with 0700.
type File struct {
	dir string
	now func() time.Time
	o   options
}

var _ Backend = (*File)(nil)

// NewFile returns the backend of a directory, which need not exist. Nothing is
// touched before the first call. now dates records.
func NewFile(dir string, now func() time.Time, opts ...Option) *File {
	return &File{dir: dir, now: now, o: optionsOf(opts)}
}

// Where names the directory.
func (f *File) Where() string { return "the directory " + f.dir }

// Close has nothing to do.
func (f *File) Close() error { return nil }

func (f *File) identity() string { return fileIdentity }

// Read folds the journal. A torn last line, as a crash leaves it, is ignored.
func (f *File) Read(ctx context.Context) (State, error) {
	records, err := f.Records(ctx)
	if err != nil {
		return State{}, err
	}
	return Replay(records), nil
}

// Records returns the journal.
func (f *File) Records(ctx context.Context) ([]Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	records, _, err := readJournal(filepath.Join(f.dir, journalName))
	return records, err
}

// Holder says who holds the lock. A process that ended without letting go does
// not hold it.
func (f *File) Holder(ctx context.Context) (*Holder, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	path := filepath.Join(f.dir, lockName)
	h, err := readHolder(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, &ReadError{Path: path.Path, Err: err}
	}
	if err != nil || h.PID == 0 {
		return nil, nil // half a name is none; see dirLock.name
	}
	probe := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := probe.TryRLock()
	if err != nil {
		return nil, errors.Join(&ReadError{Path: path, Err: err}, probe.Close())
	}
	if err := probe.Close(); err != nil {
		return nil, &ReadError{Path: path, Err: err}
	}
	if free {
		return nil, nil
	}
	return &h, nil
}

// Acquire takes the lock, or returns *LockedError at once. A *MovedAwayError
// says that the state goes on elsewhere.
func (f *File) Acquire(ctx context.Context, h Holder) (Session, error) {
	s, err := f.acquire(ctx, h, false)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (f *File) acquire(ctx context.Context, h Holder, moving bool) (moverSession, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := f.mayAct(ctx, moving); err != nil {
		return nil, err
	}
	lock, err := lockDir(ctx, f.dir, h)
	if err != nil {
		return nil, err
	}
	s, err := f.begin(ctx, lock, h, moving)
	if err != nil {
		return nil, errors.Join(err, lock.flock.Unlock())
	}
	return s, nil
}

// mayAct refuses a state that was moved away.
func (f *File) mayAct(ctx context.Context, moving bool) error {
	st, err := f.Read(ctx)
	if err != nil || moving {
		return err
	}
	return movedAway(st, f)
}

// begin makes a session of a lock. The lock's file keeps the name of a dead
// holder until the session stands.
func (f *File) begin(ctx context.Context, lock *dirLock, h Holder, moving bool) (*fileSession, error) {
	if err := f.mayAct(ctx, moving); err != nil { // again: now nobody else writes
		return nil, err
	}
	j, records, err := openJournal(f.dir, f.now, f.o.hooks)
	if err != nil {
		return nil, err
	}
	s := &fileSession{file: f, lock: lock, journal: j, state: Replay(records), lost: make(chan struct{})}
	h.Epoch = max(s.state.Epoch, lock.last) + 1
	if h.ID == "" {
		h.ID = newID()
	}
	s.epoch, s.id, j.epoch = h.Epoch, h.ID, h.Epoch
	if err := lock.name(h); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return s, nil
}

// Unlock always fails: a living holder cannot be told that its lock is gone,
// and the lock of a dead one needs no unlocking.
func (f *File) Unlock(ctx context.Context, id string, _ Holder) error {
	h, err := f.Holder(ctx)
	if err != nil {
		return err
	}
	return &UnlockError{Where: f.Where(), ID: id, Holder: h, Alive: h != nil && h.ID == id}
}

// fileSession is a held lock on a directory.
type fileSession struct {
	file    *File
	lock    *dirLock
	journal *journalFile
	state   State
	epoch   int64
	id      string // of the holder

	mu   sync.Mutex // guards gone, and that lost is closed once
	gone *LeaseLostError
	lost chan struct{}
}

func (s *fileSession) State() State          { return s.state }
func (s *fileSession) Left() *Holder         { return s.lock.left }
func (s *fileSession) Epoch() int64          { return s.epoch }
func (s *fileSession) Lost() <-chan struct{} { return s.lost }

// Check looks whether the locked file is still the one that others would lock.
func (s *fileSession) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		if why := s.lock.inPlace(); why != "" {
			s.lose(why)
		}
	}
	if s.gone != nil {
		return s.gone
	}
	return nil
}

// lose is called with mu held.
func (s *fileSession) lose(why string) {
	s.gone = &LeaseLostError{Where: s.file.Where(), Epoch: s.epoch, Why: why}
	if h, err := readHolder(s.lock.flock.Path()); err == nil && h.PID != 0 && h.ID != s.id {
		s.gone.By = &h
	}
	close(s.lost)
}

func (s *fileSession) Append(records ...Record) ([]Record, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	return s.journal.Append(records...)
}

func (s *fileSession) copyIn(records []Record) error {
	if err := s.Check(); err != nil {
		return err
	}
	return s.journal.copyIn(records)
}

func (s *fileSession) Take(ctx context.Context, id string) error {
	if err := s.Check(); err != nil {
		return err
	}
	return s.file.take(ctx, id)
}

func (s *fileSession) Clear(ctx context.Context, id string) error {
	if err := s.Check(); err != nil {
		return err
	}
	return s.file.clear(ctx, id)
}

// Release lets go. Releasing twice is harmless.
func (s *fileSession) Release() error {
	s.mu.Lock()
	released := !s.lock.flock.Locked()
	if s.gone == nil {
		s.lose("it was let go")
	}
	s.mu.Unlock()
	if released {
		return nil
	}
	if err := errors.Join(s.journal.Close(), s.lock.letGo(s.epoch)); err != nil {
		return fmt.Errorf("letting go of the lock of %s: %w", s.file.Where(), err)
	}
	return nil
}
