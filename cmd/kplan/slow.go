package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"kplan/internal/cluster"
)

// slow says on standard error what a command is at, once that takes longer than
// cluster.SayAfter, and every SayAgain after that, until end is called. Questions to
// a cluster say so themselves: tellWaits.
func slow(what string) (end func()) { return slowly(os.Stderr, what) }

func slowly(w io.Writer, what string) (end func()) {
	began, over := time.Now(), make(chan struct{})
	var said sync.WaitGroup
	said.Go(func() {
		for t := time.NewTimer(cluster.SayAfter); ; t.Reset(cluster.SayAgain) {
			select {
			case <-over:
				t.Stop()
				return
			case <-t.C:
				fmt.Fprintf(w, "At it for %s now: %s.\n", time.Since(began).Round(time.Second), what) // a note
			}
		}
	})
	return func() { close(over); said.Wait() }
}
