//go:build !linux

package main

import "github.com/rogpeppe/go-internal/testscript"

func scriptFull(ts *testscript.TestScript, _ []string) {
	ts.Fatalf("the limits of another process can be set on Linux only")
}
