package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// sequences counts a producer's records per topic and key, across restarts and
// clusters, in a file that belongs to the service and not to a side. Only one
// instance of a producer may run at a time, for two would count apart.
type sequences struct {
	path string
	lock *flock.Flock

	mu   sync.Mutex
	last map[string]map[string]int64 // topic, key
}

// openSequences takes the file. It waits a moment for a predecessor that is
// just going.
func openSequences(ctx context.Context, dir, service string) (*sequences, error) {
	path := filepath.Join(dir, seqDir, service+".json")
	s := &sequences{path: path, lock: flock.New(path + ".lock"), last: map[string]map[string]int64{}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	locked, err := s.lock.TryLockContext(ctx, 10*time.Millisecond)
	if !locked {
		return nil, fmt.Errorf("producer %q already runs on the other side, and two would count the same sequences apart; stop it first: %w", service, err)
	}
	if err := readJSON(path, &s.last); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, s.lock.Unlock())
	}
	return s, nil
}

// next is the sequence of the record to send now. It is used up by sent, so
// that a record that was never handed over leaves no gap.
func (s *sequences) next(topic, key string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[topic][key] + 1
}

func (s *sequences) sent(topic, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last[topic] == nil {
		s.last[topic] = map[string]int64{}
	}
	s.last[topic][key]++
}

func (s *sequences) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeJSON(s.path, s.last)
}

func (s *sequences) close() error {
	return errors.Join(s.save(), s.lock.Unlock())
}
