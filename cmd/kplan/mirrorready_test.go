package main

import (
	"bytes"
	"strings"
	"testing"
)

// A state of an older kplan does not say to workers that an apply has begun the copy:
// they wait, and say what brings them on.
func TestWorkersOfAnOlderState(t *testing.T) {
	var out bytes.Buffer
	r := &readiness{app: &app{self: "kplan"}, stderr: &out, named: map[string]string{}}
	for range 2 { // once is enough
		r.tell(nil, 2, true)
	}
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "Of 2 topics nothing is copied, though an apply has begun the copy: it was an older kplan") || !strings.Contains(text, "kplan apply has run once more: kplan ") {
		t.Errorf("it says %s", text)
	}
	out.Reset()
	r.tell(nil, 0, true)
	r.tell(nil, 2, false)
	if text := out.String(); !strings.HasPrefix(text, "Waiting for kplan apply to begin the copy of 2 topics") {
		t.Errorf("before any apply it says %s", text)
	}
}
