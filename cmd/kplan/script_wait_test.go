package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptPatience is how long a condition may take to come true.
const scriptPatience = 60 * time.Second

// scriptAwait waits until a file, or what a started kplan has said, matches:
//
//	await FILE|NAME REGEXP
func scriptAwait(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await FILE|NAME REGEXP")
	}
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	read := func() string {
		if p := scriptWorldOf(ts).processes[args[0]]; p != nil {
			return p.stdout.String() + p.stderr.String()
		}
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			ts.Fatalf("%v", err)
		}
		return string(data)
	}
	scriptUntil(ts, func() bool { return want.MatchString(read()) }, func() string {
		return filepath.Base(args[0]) + " does not match " + args[1] + "; it is:\n" + read()
	})
}

func scriptUntil(ts *testscript.TestScript, is func() bool, why func() string) {
	limit := time.After(scriptPatience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-limit:
			ts.Fatalf("after %s %s", scriptPatience, why())
		case <-tick.C:
		}
	}
}

// scriptGone waits until the processes whose ids a file lists are gone:
//
//	gone FILE
func scriptGone(ts *testscript.TestScript, args []string) {
	for _, text := range strings.Fields(ts.ReadFile(args[0])) {
		pid, err := strconv.Atoi(text)
		ts.Check(err)
		scriptUntil(ts, func() bool { return scriptDead(pid) }, func() string { return "process " + text + " still runs" })
	}
}

// scriptDead reports whether a process has ended; one that nobody has waited
// for yet has.
func scriptDead(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return errors.Is(err, fs.ErrNotExist) || strings.Contains(string(stat), ") Z ")
}
