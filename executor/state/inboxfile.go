package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// A request is a file, TIME_ID.json while it waits and TIME_ID.taken when a
// session has made it its own. Withdrawing removes the first name and taking
// renames it: the file system lets one of them win. A file by another name was
// written by a kplan of format 1, and its name is its id.
const (
	inboxName  = "inbox"
	waitingExt = ".json"
	takenExt   = ".taken"
)

// Put leaves a request: the file is complete before it has its name. A request
// whose id is in the inbox already is left as it is.
func (f *File) Put(ctx context.Context, r Request) error {
	if err := validID(r.ID); err != nil {
		return err
	}
	if err := f.mayAct(ctx, false); err != nil {
		return err
	}
	inbox := filepath.Join(f.dir, inboxName)
	if err := os.MkdirAll(inbox, 0o700); err != nil {
		return &WriteError{Path: inbox, Err: err}
	}
	if there, _, err := f.find(r.ID); err != nil || there != "" {
		return err
	}
	r.Taken = false
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	return writeWhole(inbox, fmt.Sprintf("%020d_%s%s", r.At.UnixNano(), r.ID, waitingExt), data)
}

// writeWhole makes a file that is complete, and durable, when it has its name.
func writeWhole(dir, name string, data []byte) error {
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return &WriteError{Path: dir, Err: err}
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	path := filepath.Join(dir, name)
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return errors.Join(&WriteError{Path: path, Err: err}, os.RemoveAll(tmp.Name()))
	}
	return nil
}

// validID keeps ids to what may be part of a file's name and of a key.
func validID(id string) error {
	plain := strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
	if id == "" || !plain || len(id) > 100 {
		return fmt.Errorf("a request has the id %q: want 1 to 100 letters, digits, dashes, underscores and dots", id)
	}
	return nil
}

// Withdraw removes a request that nobody has taken.
func (f *File) Withdraw(_ context.Context, id string) error {
	return f.settle(id, "withdrawing", func(name string) error { return os.Remove(name) }, ErrTaken, ErrNoRequest)
}

// take renames a request; its new name says that it is taken.
func (f *File) take(_ context.Context, id string) error {
	return f.settle(id, "taking", func(name string) error {
		return os.Rename(name, strings.TrimSuffix(name, waitingExt)+takenExt)
	}, nil, ErrNoRequest)
}

// settle does something to a waiting request. Where another was faster it looks
// again.
func (f *File) settle(id, what string, do func(path string) error, whenTaken, whenGone error) error {
	for {
		name, taken, err := f.find(id)
		switch {
		case err != nil:
			return err
		case taken:
			return whenTaken
		case name == "":
			return whenGone
		}
		err = do(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = syncDir(filepath.Dir(name))
		}
		if err != nil {
			return fmt.Errorf("%s request %s: %w", what, id, &WriteError{Path: name, Err: err})
		}
		return nil
	}
}

// clear removes a request, whether it waits or is taken.
func (f *File) clear(_ context.Context, id string) error {
	for {
		name, _, err := f.find(id)
		if err != nil || name == "" {
			return err
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("emptying the inbox: %w", &WriteError{Path: name, Err: err})
		}
	}
}

// find returns the path of a request; empty: there is none.
func (f *File) find(id string) (path string, taken bool, err error) {
	inbox := filepath.Join(f.dir, inboxName)
	entries, err := os.ReadDir(inbox)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false, &ReadError{Path: inbox, Err: err}
	}
	for _, e := range entries {
		if got, isTaken, ok := parseRequestName(e.Name()); ok && got == id {
			return filepath.Join(inbox, e.Name()), isTaken, nil
		}
	}
	return "", false, nil
}

// parseRequestName reads the name of a file in the inbox.
func parseRequestName(name string) (id string, taken, ok bool) {
	base, isWaiting := strings.CutSuffix(name, waitingExt)
	if !isWaiting {
		base, taken = strings.CutSuffix(name, takenExt)
	}
	if strings.HasPrefix(name, ".") || !isWaiting && !taken {
		return "", false, false
	}
	if at, id, ok := strings.Cut(base, "_"); ok && len(at) == 20 && strings.Trim(at, "-0123456789") == "" {
		return id, taken, true
	}
	return base, taken, true
}

// Requests returns what is in the inbox, in the order of the requests' times.
func (f *File) Requests(ctx context.Context) ([]Request, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	inbox := filepath.Join(f.dir, inboxName)
	entries, err := os.ReadDir(inbox)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, &ReadError{Path: inbox, Err: err}
	}
	var requests []Request
	for _, e := range entries {
		id, taken, ok := parseRequestName(e.Name())
		if !ok {
			continue
		}
		r, err := readRequest(filepath.Join(inbox, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			// Taken or removed just now. A taken one must not be missed.
			if r, err = readRequest(filepath.Join(inbox, strings.TrimSuffix(e.Name(), waitingExt)+takenExt)); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			taken = true
		}
		if err != nil {
			return nil, err
		}
		r.ID, r.Taken = id, taken
		requests = append(requests, r)
	}
	sort.SliceStable(requests, func(i, j int) bool { return requests[i].At.Before(requests[j].At) })
	return requests, nil
}

func readRequest(path string) (Request, error) {
	var r Request
	data, err := os.ReadFile(path)
	if err != nil {
		return r, &ReadError{Path: path, Err: err}
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("reading the inbox: %s is not a request that kplan wrote (%w): remove it", path, err)
	}
	return r, nil
}
