package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// scriptFull makes the disk full for a started kplan: no file may grow beyond
// what the journal has now:
//
//	full NAME
func scriptFull(ts *testscript.TestScript, args []string) {
	journal, err := os.Stat(ts.MkAbs(".kplan/orders/journal.jsonl"))
	ts.Check(err)
	limit := unix.Rlimit{Cur: uint64(journal.Size()), Max: unix.RLIM_INFINITY}
	ts.Check(unix.Prlimit(scriptProcessOf(ts, args[0]).cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil))
}
