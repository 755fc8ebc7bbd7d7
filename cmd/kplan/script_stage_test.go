package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kplan/internal/cluster"
	"kplan/internal/demo"
	"kplan/internal/workload"
)

// scriptStage is an example with live services between the script's clusters
// old and new.
type scriptStage struct {
	*demo.Stage
	example string
}

// scriptSetStage sets an example up, with topics but without services running,
// and goes to the plan's directory:
//
//	stage EXAMPLE [RATE]
func scriptSetStage(ts *testscript.TestScript, args []string) {
	rate := 60
	if len(args) > 1 {
		_, err := fmt.Sscan(args[1], &rate)
		ts.Check(err)
	}
	s, err := demo.Set(demo.Options{
		Dir: ts.MkAbs("stage"), Example: args[0], Executable: built().plain, Partitions: 2, Rate: rate, Keys: 5,
		Source: workload.Connection{Bootstrap: scriptClusterOf(ts, "old").Bootstrap()},
		Target: workload.Connection{Bootstrap: scriptClusterOf(ts, "new").Bootstrap()},
		Plan: func(text string) string {
			return strings.Replace(text, `quiet_for     = "2s"`, `quiet_for     = "1s"`, 1)
		},
	})
	ts.Check(err)
	w := scriptWorldOf(ts)
	w.stage = &scriptStage{Stage: s, example: args[0]}
	w.closers = append(w.closers, func() {
		if err := s.Close(); err != nil {
			ts.Logf("ending the services: %v", err)
		}
	})
	ts.Setenv("EXAMPLE_WORKLOAD", s.Control.Dir)
	ts.Setenv("KPLAN_VAR_old", "")
	ts.Setenv("KPLAN_VAR_new", "")
	ts.Check(ts.Chdir(s.PlanDir))
}

func scriptStageOf(ts *testscript.TestScript) *scriptStage {
	s := scriptWorldOf(ts).stage
	if s == nil {
		ts.Fatalf("no stage is set")
	}
	return s
}

// scriptService starts or stops services by hand: service all, or
// service start|stop NAME SIDE
func scriptService(ts *testscript.TestScript, args []string) {
	s := scriptStageOf(ts)
	if len(args) == 1 && args[0] == "all" {
		ts.Check(s.Start(context.Background()))
		return
	}
	if len(args) != 3 {
		ts.Fatalf("usage: service all, or service start|stop NAME SIDE")
	}
	side, err := cluster.ParseSide(args[2])
	ts.Check(err)
	if args[0] == "start" {
		ts.Check(s.Control.Start(context.Background(), args[1], side))
		return
	}
	ts.Check(s.Control.Stop(context.Background(), args[1], side))
}

// scriptRuns compares where a service runs: runs NAME [SIDE...]
func scriptRuns(ts *testscript.TestScript, args []string) {
	sides, err := scriptStageOf(ts).Control.Check(args[0])
	ts.Check(err)
	got := []string{}
	for _, s := range sides {
		got = append(got, s.String())
	}
	if strings.Join(got, " ") != strings.Join(args[1:], " ") {
		ts.Fatalf("%s runs on %v, want %v", args[0], got, args[1:])
	}
}

// scriptFlow waits until so many more records have come to the chain's end:
//
//	flow COUNT
func scriptFlow(ts *testscript.TestScript, args []string) {
	var want int64
	_, err := fmt.Sscan(args[0], &want)
	ts.Check(err)
	follow, err := workload.Follow(scriptStageOf(ts).Control.Dir)
	ts.Check(err)
	received := func() int64 {
		counts, err := follow.Read()
		ts.Check(err)
		return counts.Received["orders-billing"]["orders.priced"]
	}
	first := received()
	now := first
	scriptUntil(ts, func() bool { now = received(); return now-first >= want }, func() string {
		return fmt.Sprintf("only %d of %d records have come through", now-first, want)
	})
}

// scriptProve stops the services and holds the migration to its promise:
// nothing lost, nothing twice, order kept.
func scriptProve(ts *testscript.TestScript, args []string) {
	s := scriptStageOf(ts)
	report, err := s.Finish(context.Background(), 10*time.Second)
	ts.Check(err)
	kept := verdict(s.example, report)
	if len(args) > 0 && args[0] == "unordered" {
		kept = true
		for _, topic := range report.Topics {
			for _, g := range topic.Readers {
				kept = kept && g.Lost == 0 && g.Twice == 0
			}
		}
	}
	if !kept {
		logs, err := filepath.Glob(filepath.Join(s.Control.Dir, "log", "*"))
		ts.Check(err)
		ts.Fatalf("the proof fails: %s; see %v", strings.Join(report.Sentences(), "\n"), logs)
	}
	for _, topic := range report.Topics {
		if topic.Produced == 0 {
			ts.Fatalf("the proof proves nothing: no record in %s", topic.Topic)
		}
	}
}
