package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// folder is a store in files. Where the copies began, and the producer id, are
// durable; the maps are not.
type folder struct {
	path     string
	volatile bool // the control's
}

// producer returns the producer id, asked for once and written down before its
// first use.
func (f folder) producer(ctx context.Context, target *wire.Client) (int64, error) {
	name := filepath.Join(f.path, "producer")
	raw, err := os.ReadFile(name)
	if err == nil && !f.volatile {
		var id int64
		return id, json.Unmarshal(raw, &id)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	id, err := target.ProducerID(ctx)
	if err != nil {
		return 0, err
	}
	return id, durable(name, fmt.Append(nil, id))
}

// lease takes the lease and returns how to ask for it.
func (f folder) lease(owner string) (func(wire.Partition) error, error) {
	if owner == "" {
		return nil, nil
	}
	name := filepath.Join(f.path, "owner")
	return func(wire.Partition) error {
		now, err := os.ReadFile(name)
		if err == nil && string(now) != owner {
			err = fmt.Errorf("the lease is with %s", now)
		}
		return err
	}, durable(name, []byte(owner))
}

func (f folder) Begin(p wire.Partition, at mirror.Beginning) error {
	raw, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return durable(filepath.Join(f.path, fmt.Sprintf("begin-%d", p.Number)), raw)
}

func (f folder) Keep(kept map[wire.Partition]mirror.Kept) error {
	for p, one := range kept {
		raw, err := one.Offsets.MarshalBinary()
		if err != nil {
			return err
		}
		name := filepath.Join(f.path, fmt.Sprintf("map-%d", p.Number))
		if err := os.WriteFile(name+".new", raw, 0o600); err != nil {
			return err
		}
		if err := os.Rename(name+".new", name); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) load(ids []wire.Partition) (map[wire.Partition]mirror.Assignment, error) {
	all := map[wire.Partition]mirror.Assignment{}
	for _, p := range ids {
		a, err := f.one(p)
		if err != nil {
			return nil, err
		}
		all[p] = a
	}
	return all, nil
}

func (f folder) one(p wire.Partition) (mirror.Assignment, error) {
	raw, err := os.ReadFile(filepath.Join(f.path, fmt.Sprintf("begin-%d", p.Number)))
	if errors.Is(err, fs.ErrNotExist) {
		return mirror.Assignment{}, nil
	}
	var begin mirror.Beginning
	if err == nil {
		err = json.Unmarshal(raw, &begin)
	}
	if err != nil {
		return mirror.Assignment{}, err
	}
	offsets, err := mirror.NewMap(begin.Point)
	if err != nil {
		return mirror.Assignment{}, err
	}
	raw, err = os.ReadFile(filepath.Join(f.path, fmt.Sprintf("map-%d", p.Number)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		err = offsets.UnmarshalBinary(raw)
	}
	return mirror.Assignment{Offsets: offsets, Topics: begin.Topics}, err
}

// durable writes a file that is there, whole, or not at all.
func durable(name string, content []byte) error {
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
