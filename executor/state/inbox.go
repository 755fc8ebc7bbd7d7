package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

const inboxName = "inbox"

// Put leaves an answer for the engine, whether or not it runs now. The file is
// complete before it has its name.
func Put(dir string, a Answer) error {
	inbox := filepath.Join(dir, inboxName)
	if err := os.MkdirAll(inbox, 0o700); err != nil {
		return &WriteError{Path: inbox, Err: err}
	}
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	return writeWhole(inbox, fmt.Sprintf("%020d-%s.json", a.At.UnixNano(), a.Verb), data)
}

// Letter is an answer with the file that holds it.
type Letter struct {
	Answer
	path string
}

// Letters returns the answers that wait, oldest first.
func Letters(dir string) ([]Letter, error) {
	inbox := filepath.Join(dir, inboxName)
	entries, err := os.ReadDir(inbox)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the inbox: %w", err)
	}
	var letters []Letter
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		path := filepath.Join(inbox, e.Name())
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another step has taken it up just now
		}
		if err != nil {
			return nil, fmt.Errorf("reading the inbox: %w", err)
		}
		l := Letter{path: path}
		if err := json.Unmarshal(data, &l.Answer); err != nil {
			return nil, fmt.Errorf("reading the inbox: %s is not an answer that kplan wrote (%w): remove it", path, err)
		}
		letters = append(letters, l)
	}
	sort.Slice(letters, func(i, j int) bool { return letters[i].path < letters[j].path })
	return letters, nil
}

// Remove takes an answer out, after it is in the journal.
func (l Letter) Remove() error {
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("emptying the inbox: %w", err)
	}
	return nil
}
