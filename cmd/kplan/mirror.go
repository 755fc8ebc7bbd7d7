package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/migration"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/mirror/worker"
	"kplan/plan"
)

// mirrorFlags are the flags of kplan mirror.
type mirrorFlags struct {
	once    bool
	listen  string
	session time.Duration
	wait    time.Duration
	anew    []string
}

func newMirror(a *app) *cobra.Command {
	var f mirrorFlags
	cmd := &cobra.Command{
		Use:   "mirror",
		Short: "Copy records from the source to the target, as one of any number of workers",
		Long: "A worker of the plan's mirror (run = \"worker\"). Workers share the partitions of the selected topics through\n" +
			"a consumer group of the source, and do what the state asks for; kplan apply prepares topics, asks and watches.\n" +
			"A worker runs until a signal, hands its partitions over, and ends with 0; a second signal ends it at once.\n\n" +
			"With --listen it answers /metrics for Prometheus, and /healthz: 200 while it may write, no partition is stopped,\n" +
			"and what has something to copy makes progress.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(f.anew) > 0 {
				return a.onScene(cmd, func(s scene) error { return a.anew(cmd, s, f.anew) })
			}
			return a.onSceneOnceThere(cmd, func(s scene) error { return a.mirror(cmd, s, f) })
		},
	}
	cmd.Flags().BoolVar(&f.once, "once", false, "end when what is on the source at the start is copied")
	cmd.Flags().StringSliceVar(&f.anew, "anew", nil, "forget what was copied of these topics, which are empty on the target or not there, and end")
	cmd.Flags().StringVar(&f.listen, "listen", "", "serve /metrics and /healthz there: HOST:PORT, or a port on the loopback")
	cmd.Flags().DurationVar(&f.session, "session-timeout", 0, "of the workers' group")
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "how long a request may be under way after its worker has died (R23)")
	for _, name := range []string{"session-timeout", "wait"} {
		cmd.Flags().Lookup(name).Hidden = true
	}
	return cmd
}

func (a *app) mirror(cmd *cobra.Command, s scene, f mirrorFlags) (err error) {
	if err := migration.HasWorkers(s.plan); err != nil {
		return err
	}
	if err := state.Elsewhere(s.state, s.backend); err != nil {
		return err
	}
	log, err := a.logger()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	shelf, closeShelf, err := a.shelf(ctx, s.plan, s.plan.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeShelf()) }()
	id, err := newRequestID()
	if err != nil {
		return err
	}
	r := &readiness{app: a, survey: migration.Survey{Plan: s.plan, Clusters: s.clusters, State: s.backend, Shelf: shelf}, stderr: cmd.ErrOrStderr()}
	w, end, err := migration.Working{
		Survey: r.survey, Holder: holder(whoami()), ID: id, Once: f.once, Session: f.session, Wait: f.wait, Look: r.look,
		Note: func(text string) { note(cmd.ErrOrStderr(), "%s", text) }, Log: log,
	}.Open(ctx, s.state)
	if err != nil {
		return err
	}
	defer end()
	return runMirror(cmd, w, r, f, s.plan.Migration.Name)
}

// runMirror runs a worker until a signal, with what people and machines see of it.
func runMirror(cmd *cobra.Command, w *worker.Worker, r *readiness, f mirrorFlags, migration string) (err error) {
	ctx, stderr := cmd.Context(), cmd.ErrOrStderr()
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		showMirror(watching, stderr, w)
	}()
	defer func() { stop(); <-shown }()
	if f.listen != "" {
		closeListener, err := listen(f.listen, w.Handler(migration), stderr)
		if err != nil {
			return err
		}
		defer closeListener()
	}
	heard := context.AfterFunc(ctx, func() {
		fmt.Fprintln(stderr, "Ending: partitions are handed over once what is under way has come to its end. Once more ends kplan at once.") // a note
	})
	defer heard()
	err = w.Run(ctx)
	var stopped *worker.StoppedError
	switch {
	case errors.As(err, &stopped):
		return err
	case err != nil && errors.Is(context.Cause(ctx), executor.ErrInterrupted) && errors.Is(err, context.Canceled):
		err = nil
	}
	if err == nil && f.once && ctx.Err() == nil {
		err = r.complete()
	}
	return err
}

// moveShelf takes what the mirror keeps along when the state moves. The old
// place has not said yet that it moved; afterwards the new one is ahead of it.
func (a *app) moveShelf(ctx context.Context, p *plan.Plan, at plan.State, from state.Backend, stderr io.Writer) (err error) {
	st, err := from.Read(ctx)
	if err != nil || state.Elsewhere(st, from) != nil {
		return err // Move says what is wrong, or finishes what was interrupted
	}
	source, closeSource, err := a.shelf(ctx, p, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	if err := driver.Alone(ctx, source, mirror.NewWatch(boottime.Clock{}.Now, migration.DeadHere), "moving the state: a worker goes on with the old place", func(text string) { note(stderr, "%s", text) }); err != nil {
		return err
	}
	target, closeTarget, err := a.shelf(ctx, p, p.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeTarget()) }()
	brief := holder(whoami())
	brief.Brief = true
	held, err := from.Acquire(ctx, brief) // an apply writes there as well
	if err != nil {
		return err
	}
	_, err = state.CopyShelf(ctx, source, target)
	if err := errors.Join(err, held.Release()); err != nil {
		return fmt.Errorf("moving what the mirror keeps: %w", err)
	}
	return nil
}

// note is a line for people; where it cannot be written nobody misses it.
func note(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...) // a note
}
