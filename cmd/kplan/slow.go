package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// slow says on standard error what a command is at, once that takes longer than
// five seconds, and every ten seconds after that, until end is called. Questions
// to a cluster say so themselves: tellWaits.
func slow(what string) (end func()) { return slowly(os.Stderr, 5*time.Second, 10*time.Second, what) }

func slowly(w io.Writer, after, again time.Duration, what string) (end func()) {
	began, over := time.Now(), make(chan struct{})
	var said sync.WaitGroup
	said.Go(func() {
		for t := time.NewTimer(after); ; t.Reset(again) {
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
