package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/executor/switches"
	"kplan/internal/cluster"
	"kplan/internal/migration"
	"kplan/internal/report"
	"kplan/plan"
)

// brokerPatience is for how long a run asks again when connections break: long
// enough for a broker's restart, short enough for a person to hear of an outage.
const brokerPatience = 90 * time.Second

func (a *app) run(ctx context.Context, cmd *cobra.Command, p *plan.Plan, c *migration.Clusters, s *migration.Session, r *migration.Assessment, f applyFlags) error {
	leaveOut, err := safeguard(f.sabotage, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := s.Open(p, c, r); err != nil {
		return err
	}
	log, err := a.logger()
	if err != nil {
		return err
	}
	told := &teller{ctx: context.WithoutCancel(ctx), plan: p, dir: a.dir, run: s.Run, who: s.By.Who, host: s.By.Host, stderr: cmd.ErrOrStderr()}
	printer := report.NewProgress(cmd.ErrOrStderr(), watched(cmd.ErrOrStderr()), time.Now)
	patience := min(brokerPatience, p.Migration.Scheme.DrainTimeout)
	copies, closeMirror, err := a.openMirror(ctx, p, c, s, log, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	part, err := f.scope.Of(r.Graph)
	if err != nil {
		return errors.Join(err, closeMirror())
	}
	engine := &executor.Engine{
		Plan: p, Graph: r.Graph, Part: part, Mirror: copies, Source: c.Source.Patient(patience), Target: c.Target.Patient(patience), Switches: a.switches(p, a.stateDir(p, p.State)),
		Journal: s.Held, State: s.State, RunID: s.Run, Defaults: r.Target.Defaults, Seen: partitionsOf(r.Source), Capped: r.Capped, Who: s.By.Who, Fence: s.Held,
		Inbox: s.Inbox(), Clock: executor.WallClock{}, Emit: logged(log, told.parked(briefly(printer.Event))), Waits: a.interactive(),
		Command: a.command, LeaveOut: leaveOut,
	}
	heard := context.AfterFunc(ctx, func() {
		fmt.Fprintln(cmd.ErrOrStderr(), "Interrupted: nothing new is begun, what is under way is brought to a safe end. Once more ends kplan at once.") // a note
	})
	result := engine.Run(ctx)
	heard()
	if err := closeMirror(); err != nil && result.Err == nil {
		result.Err = err
	}
	doc := applyDoc{Migration: p.Migration.Name, Run: s.Run, Done: result.Done, Total: result.Total, Restored: result.Restored, Stopped: result.Stopped, Held: result.Held, Fences: migration.Fences(p, result.Fences), Diff: r.Doc}
	doc.fill(result)
	if part != nil && doc.ExitCode == exitDone && result.Done < result.Total {
		doc.Outcome, doc.partly = f.scope.Outcome(), true
	}
	ended := state.RunEnded{Outcome: doc.Outcome, Error: strings.Join(doc.Errors, "\n")}
	if _, err := s.Held.Append(state.Record{Run: s.Run, RunEnded: &ended}); err != nil {
		doc.unrecorded(err, result.Err)
	}
	told.ended(doc)
	return a.finish(cmd, doc, &result, f.found)
}

// openMirror opens the mirror of a plan, if it has one.
func (a *app) openMirror(ctx context.Context, p *plan.Plan, c *migration.Clusters, s *migration.Session, log *slog.Logger, stderr io.Writer) (executor.Mirror, func() error, error) {
	if p.Migration.Mirror == nil {
		return nil, func() error { return nil }, nil
	}
	shelf, closeShelf, err := a.shelf(ctx, p, p.State)
	if err != nil {
		return nil, nil, err
	}
	of, end, err := migration.Mirroring{
		Plan: p, Clusters: c, Session: s, Shelf: shelf, Command: a.command("mirror"), Note: func(text string) { note(stderr, "%s", text) }, Log: log,
	}.Open(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, closeShelf())
	}
	return of, func() error { return errors.Join(end(), closeShelf()) }, nil
}

// partitionsOf counts the partitions of topics.
func partitionsOf(s cluster.Snapshot) map[string]int {
	counts := map[string]int{}
	for name, t := range s.Topics {
		counts[name] = len(t.Partitions)
	}
	return counts
}

// logged writes every event to the log as well, at level debug.
func logged(log *slog.Logger, emit func(executor.Event)) func(executor.Event) {
	return func(e executor.Event) {
		log.Debug("event", "kind", fmt.Sprintf("%T", e), "event", fmt.Sprintf("%+v", e))
		emit(e)
	}
}

// briefly leaves the reasons of failures to the conclusion, which says them
// once, where they are looked for: at the end.
func briefly(emit func(executor.Event)) func(executor.Event) {
	return func(e executor.Event) {
		if failed, ok := e.(executor.StepFailed); ok {
			failed.Err = errors.New("the reason is told at the end")
			e = failed
		}
		emit(e)
	}
}

func safeguard(name string, w io.Writer) (executor.Safeguard, error) {
	s := executor.Safeguard(name)
	switch s {
	case "":
		return "", nil
	case executor.Placement, executor.DrainWait, executor.Quiet, executor.ShutOut:
		_, err := fmt.Fprintf(w, "SABOTAGE: %s. Records may be lost or repeated; this is for demonstrations only.\n", name)
		return s, err
	default:
		return "", fmt.Errorf("--sabotage %q: want skip-placement, start-before-drain, no-quiet or no-fence", name)
	}
}

// switches makes the programs of each service runnable.
func (a *app) switches(p *plan.Plan, stateDir string) map[string]executor.Switch {
	m := p.Migration
	out := map[string]executor.Switch{}
	for _, s := range m.Services {
		if s.Switch.Exec == nil {
			continue
		}
		out[s.Name] = &switches.Exec{
			Service: s.Name, Migration: m.Name, Dir: a.dir, LogDir: filepath.Join(stateDir, "logs"), Spec: *s.Switch.Exec,
			Cluster:   map[cluster.Side]string{cluster.Source: m.Source.Name, cluster.Target: m.Target.Name},
			Bootstrap: map[cluster.Side][]string{cluster.Source: bootstrap(m.Source, s.Listener), cluster.Target: bootstrap(m.Target, s.Listener)},
			Environ:   environ(),
		}
	}
	return out
}

// environ is kplan's own environment, without what is meant for this process
// alone.
func environ() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "KPLAN_CRASH_") {
			out = append(out, kv)
		}
	}
	return out
}

func bootstrap(c *plan.Cluster, listener string) []string {
	for _, l := range c.Listeners {
		if l.Name == listener {
			return l.Bootstrap
		}
	}
	return c.Bootstrap
}
