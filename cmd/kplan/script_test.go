package main

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptUpdate rewrites the goldens inside the scripts.
var scriptUpdate = flag.Bool("update", false, "rewrite the goldens in the scripts")

// scriptLimit ends a script that hangs.
const scriptLimit = 4 * time.Minute

// TestScripts drives the real binary through the front door. Clusters are
// embedded and live in this process; everything else is a process of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	var scripts sync.WaitGroup
	testscript.RunT(scriptT{T: t, all: &scripts}, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		Setup:         scriptSetup,
		Cmds:          scriptCommands(),
		UpdateScripts: *scriptUpdate,
		Deadline:      time.Now().Add(scriptLimit),
		// A misspelt command must not read as a comment.
		RequireExplicitExec: true,
	})
	scripts.Wait()
}

// scriptT runs scripts beside each other without asking for the processors
// that go test's own -parallel counts.
type scriptT struct {
	*testing.T
	all *sync.WaitGroup
}

// Run starts a script and returns at once.
func (t scriptT) Run(name string, script func(testscript.T)) {
	t.all.Go(func() {
		inRoom(func() {
			t.T.Run(name, func(sub *testing.T) { script(scriptT{T: sub}) })
		})
	})
}

// Parallel does nothing: Run has seen to it.
func (t scriptT) Parallel() {}

// Verbose reports whether everything is to be shown.
func (t scriptT) Verbose() bool { return testing.Verbose() }

// scriptKey finds what a script has in its environment's values.
type scriptKey struct{}

// scriptSetup gives a script the kplan under test as "kplan" and what the
// plans' programs need.
func scriptSetup(env *testscript.Env) error {
	plans, err := filepath.Abs(filepath.Join("testdata", "plan"))
	if err != nil {
		return err
	}
	w := &scriptWorld{clusters: map[string]*scriptCluster{}, processes: map[string]*scriptProcess{}}
	env.Values[scriptKey{}] = w
	env.Defer(w.close)
	env.Setenv("PATH", filepath.Dir(built().kplan)+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("EXAMPLE_KPLAN", built().plain)
	env.Setenv("PLANS", plans)
	env.Setenv("NO_COLOR", "1")
	env.Setenv("NAME", filepath.Base(env.WorkDir))
	return nil
}

// scriptWorld is what one script has started.
type scriptWorld struct {
	clusters  map[string]*scriptCluster
	processes map[string]*scriptProcess
	stage     *scriptStage
	closers   []func()
	secrets   []string
}

func scriptWorldOf(ts *testscript.TestScript) *scriptWorld {
	return ts.Value(scriptKey{}).(*scriptWorld)
}

func (w *scriptWorld) close() {
	for _, p := range w.processes {
		p.end()
	}
	for i := len(w.closers) - 1; i >= 0; i-- {
		w.closers[i]()
	}
	for _, c := range w.clusters {
		c.Close()
	}
}

// scriptCommands are the words of the scripts, beside testscript's own.
func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	type command = func(ts *testscript.TestScript, args []string)
	all := map[string]func(ts *testscript.TestScript, neg bool, args []string){}
	for name, do := range map[string]command{
		"kplan": scriptKplan, "limited": scriptLimited, "full": scriptFull, "start": scriptStart, "signal": scriptSignal, "type": scriptType, "ends": scriptEnds,
		"await": scriptAwait, "normal": scriptNormal, "conforms": scriptConforms, "plan": scriptPlan, "secret": scriptSecret, "gone": scriptGone,
		"cluster": scriptNewCluster, "deadport": scriptDeadPort, "killbroker": scriptKillBroker,
		"topic": scriptTopic, "untopic": scriptUntopic, "grow": scriptGrow, "alter": scriptAlter, "topics": scriptTopics, "records": scriptRecords,
		"produce": scriptProduce, "commit": scriptCommit, "uncommit": scriptUncommit,
		"stage": scriptSetStage, "service": scriptService, "runs": scriptRuns, "flow": scriptFlow, "prove": scriptProve,
		"rule": scriptRule, "unrule": scriptUnrule, "rules": scriptHasRules, "quota": scriptQuota,
		"holdlock": scriptHoldLock, "unlock": scriptUnlock, "withdraw": scriptWithdraw, "replace": scriptReplace,
	} {
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg {
				ts.Fatalf("%s cannot be negated", name)
			}
			do(ts, args)
		}
	}
	return all
}
