package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"syscall"
	_ "time/tzdata" // windows name zones, and small containers have none

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/report"
)

// version is set by the linker in releases.
var version = "dev" // -ldflags -X needs a variable; nothing else writes it

// softMemory is from where on the garbage collector works harder. What kplan
// holds of a cluster with 10,000 topics is half of it; without a limit garbage
// would make three times as much (docs/benchmarks.md). GOMEMLIMIT overrules it.
const softMemory = 400 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	// A file size limit that is reached shall be an error of the write, not the
	// end of the process: the journal says then what was not recorded.
	signal.Ignore(syscall.SIGXFSZ)
	ctx, stop := interruptible()
	a := &app{self: os.Args[0]}
	root := newRoot(a)
	out := &counter{w: os.Stdout}
	root.SetOut(out)
	err := root.ExecuteContext(ctx)
	stop()
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, "Error: "+report.Printable(err.Error()))
	}
	if doc := errorDocOf(err); a.json && out.n == 0 && (len(doc.Errors) > 0 || len(doc.Diagnostics) > 0) {
		err = errors.Join(err, printJSON(os.Stdout, doc))
	}
	os.Exit(exitCode(err))
}

// counter tells whether anything has been written.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels. The
// second one ends the process at once; the journal says what was under way.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, ok := <-signals; !ok {
			return
		}
		cancel(executor.ErrInterrupted)
		if _, ok := <-signals; ok {
			os.Exit(exitInterrupted)
		}
	}()
	return ctx, func() { signal.Stop(signals); close(signals); cancel(nil) }
}

// noInput reads KPLAN_NO_INPUT: anything but a word for no.
func noInput() bool {
	text := os.Getenv("KPLAN_NO_INPUT")
	no, err := strconv.ParseBool(text)
	return text != "" && (err != nil || no)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "kplan",
		Short: "Migrate Kafka services from one cluster to another, by a plan that is reviewed, carried out and proven",
		Long: "kplan reads *.kplan.hcl files, shows what would change (diff), carries it out step by step\n" +
			"with a journal that survives any crash (apply), and checks the result (verify).\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(a.checkFlags(), a.checkReports(cmd))
		},
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "chdir", "C", ".", "directory of the plan")
	f.StringArrayVar(&a.vars, "var", nil, "set a variable: NAME=VALUE (repeatable)")
	f.StringArrayVar(&a.varFiles, "var-file", nil, "read variables from a file (repeatable)")
	f.BoolVar(&a.json, "json", false, "print one JSON document on standard output")
	f.StringArrayVar(&a.reports, "report", nil, "leave what was found out in a file as well: KIND=FILE (repeatable; text, json, markdown, junit, sarif or prometheus)")
	f.StringVar(&a.color, "color", "auto", "auto, always or never")
	f.BoolVar(&a.noInput, "no-input", noInput(), "never ask, also on a terminal")
	f.StringVar(&a.logLevel, "log-level", os.Getenv("KPLAN_LOG_LEVEL"), "debug, info, warn or error (default: warn)")
	root.AddCommand(
		newValidate(a), newGraph(a), newDiff(a), newShow(a), newApply(a), newStatus(a), newVerify(a), newProbe(a), newMirror(a),
		newApprove(a), newReject(a), newDone(a), newSet(a), newWithdraw(a),
		newSteering(a, state.VerbPause, "Begin nothing new until somebody resumes; what is under way goes on"),
		newSteering(a, state.VerbResume, "Go on after a pause"),
		newSteering(a, state.VerbAbort, "End the apply that runs, as an interrupt there would"),
		newState(a), newLock(a), newUnlock(a),
		newSchema(), newDemo(a), newVersion(a), newWorkload(),
	)
	return root
}
