package kafkatest

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sync/errgroup"
)

// Many test processes make and remove their folders at the same time, and each
// sweeps before: no sweep may take a folder whose owner lives.
func TestDataDirsWithSweeps(t *testing.T) {
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for range 150 {
				d, err := newDataDir()
				if err != nil {
					return err
				}
				_, err = os.Stat(d.path)
				if err := errors.Join(err, d.remove()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
