package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fileMode is that of reports. They hold no secrets, and who reads them (a
// collector of metrics, a later job) is often somebody else.
const fileMode = 0o644

// CheckFile says why a report cannot be written there, before anything is
// done: after hours of a run would be too late.
func CheckFile(path string) error {
	dir, err := os.Stat(filepath.Dir(path))
	switch {
	case err != nil:
		return fmt.Errorf("the report's directory: %w. Make it first", err)
	case !dir.IsDir():
		return fmt.Errorf("%s is not a directory", filepath.Dir(path))
	}
	file, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the report's file: %w", err)
	case !file.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file: a report replaces the file whole, and cannot replace that", path)
	}
	return nil
}

// WriteFile writes a report where CheckFile lets it be. Its mode is 0644.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := CheckFile(path); err != nil {
		return err
	}
	return Replace(path, fileMode, write)
}

// Replace writes a file that appears whole or not at all, whatever was there:
// beside its place first, then renamed.
func Replace(path string, mode fs.FileMode, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".kplan-*")
	if err != nil {
		return fmt.Errorf("making a file beside %s: %w", path, err)
	}
	buffer := bufio.NewWriter(tmp)
	if err = write(buffer); err == nil {
		err = buffer.Flush()
	}
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.RemoveAll(tmp.Name()))
	}
	return nil
}
