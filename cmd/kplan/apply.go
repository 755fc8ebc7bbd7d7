package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/report"
	"kplan/plan"
	"kplan/plan/diff"
)

// brokerPatience is for how long a run asks again when connections break: long
// enough for a broker's restart, short enough for a person to hear of an outage.
const brokerPatience = 90 * time.Second

type applyFlags struct {
	yes      bool
	sabotage string
}

// applyDoc is the JSON document of apply.
type applyDoc struct {
	FormatVersion string    `json:"format_version"`
	Migration     string    `json:"migration"`
	Run           string    `json:"run"`
	Outcome       string    `json:"outcome"`
	ExitCode      int       `json:"exit_code"`
	Done          int       `json:"steps_done"`
	Total         int       `json:"steps_total"`
	Errors        []string  `json:"errors"`
	Parked        []parkDoc `json:"parked"`
	Restored      []string  `json:"restored"`
	Stranded      []string  `json:"stranded"`
	Stopped       []string  `json:"stopped"`
	Held          []string  `json:"held"` // topics whose retention is held on the target
	Diff          diff.Doc  `json:"diff"`
}

type parkDoc struct {
	Address     string `json:"address"`
	Instruction string `json:"instruction"`
	Command     string `json:"command"`
}

func newApply(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Carry the plan out, or go on where the last apply ended",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.apply(cmd.Context(), cmd, f)
		},
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do not ask; needed where nobody can be asked")
	cmd.Flags().StringVar(&f.sabotage, "sabotage", "", "leave a safeguard out, to see what it is for: skip-placement, start-before-drain or no-quiet")
	cmd.Flags().Lookup("sabotage").Hidden = true
	return cmd
}

// apply takes the lock, shows the diff, asks, looks again, and runs.
func (a *app) apply(ctx context.Context, cmd *cobra.Command, f applyFlags) (err error) {
	if !f.yes && !a.interactive() {
		return errors.New("nobody can be asked here: give --yes, after a look at kplan diff")
	}
	p, _, sources, err := a.load(cmd)
	if err != nil {
		return err
	}
	c, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	s, err := a.begin(p, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := belongs(s.state, p, c, s.dir); err != nil {
		return err
	}
	r, err := look(ctx, p, c, s.state)
	if err != nil {
		return err
	}
	if err := a.say(cmd.ErrOrStderr(), sources, r.diags); err != nil {
		return err
	}
	shown := cmd.OutOrStdout()
	if a.json {
		shown = cmd.ErrOrStderr() // the document comes at the end; a person sees first what they are asked about
	}
	if err := report.DiffText(shown, r.doc, report.Options{Color: a.colored(shown)}); err != nil {
		return err
	}
	if err := errors.Join(r.blocked(), continues(s.state, p, r.graph)); err != nil {
		if a.json {
			doc := errorDoc{FormatVersion: formatVersion, Errors: strings.Split(err.Error(), "\n"), Diagnostics: r.doc.Diagnostics, ExitCode: exitError}
			err = errors.Join(err, printJSON(cmd.OutOrStdout(), doc))
		}
		return err
	}
	if r.doc.Empty() {
		if err := s.close(); err != nil {
			return err
		}
		return a.finish(cmd, applyDoc{Migration: p.Migration.Name, Outcome: "nothing to do", Diff: r.doc}, nil)
	}
	if !f.yes {
		if err := confirm(ctx, cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if r, err = lookAgain(ctx, p, c, s.state, r); err != nil {
		return err
	}
	return a.run(ctx, cmd, p, c, s, r, f)
}

// confirm asks once and takes only "yes". An interrupt is an answer, too.
func confirm(ctx context.Context, in io.Reader, out io.Writer) error {
	if _, err := fmt.Fprint(out, "Carry this out? Only \"yes\" is taken: "); err != nil {
		return err
	}
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // ends with the process where nobody answers any more
		line, err := bufio.NewReader(in).ReadString('\n')
		answered <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return &codedError{code: exitInterrupted, err: errors.New("interrupted, nothing was carried out")}
	case a := <-answered:
		if a.err != nil && a.line == "" {
			return fmt.Errorf("reading the answer: %w", a.err)
		}
		if strings.TrimSpace(a.line) != "yes" {
			return errors.New("not carried out")
		}
		return nil
	}
}

// staleError lists what moved between the diff and the apply.
type staleError struct{ moved []string }

func (e *staleError) Error() string {
	return "the clusters have changed since the diff, and nothing was done:\n  " + strings.Join(e.moved, "\n  ") + "\nLook at the new diff and apply again"
}

// lookAgain reads the clusters once more, before the first write.
func lookAgain(ctx context.Context, p *plan.Plan, c *clusters, st state.State, before *review) (*review, error) {
	now, err := look(ctx, p, c, st)
	if err != nil {
		return nil, err
	}
	moved := diff.Moved(diff.Fingerprint(before.source, before.target, p.Migration), diff.Fingerprint(now.source, now.target, p.Migration))
	if len(moved) > 0 {
		return nil, &codedError{code: exitStale, err: &staleError{moved: moved}}
	}
	return now, now.blocked()
}

// session is the locked state of one apply.
type session struct {
	dir     string
	run     string
	lock    *state.Lock
	journal *state.Journal
	state   state.State
}

func (a *app) begin(p *plan.Plan, stderr io.Writer) (*session, error) {
	dir := a.stateDir(p)
	who, host := whoami()
	lock, err := state.Acquire(dir, state.Holder{Who: who, Host: host, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return nil, err
	}
	if lock.Left != nil {
		fmt.Fprintf(stderr, "Note: the last kplan here (%s) ended without letting go of the lock; what it had under way is looked at again.\n", lock.Left) // a note
	}
	crash, err := crashAfter()
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	journal, st, err := state.Open(dir, time.Now, crash)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return nil, errors.Join(err, journal.Close(), lock.Release())
	}
	return &session{dir: dir, run: hex.EncodeToString(id), lock: lock, journal: journal, state: st}, nil
}

func (s *session) end() error { return errors.Join(s.journal.Close(), s.lock.Release()) }

// crashAfter returns what KPLAN_CRASH_AFTER asks for: kplan kills itself after
// that many journal records, as a power cut would. Tests use it.
func crashAfter() (func(int), error) {
	text := os.Getenv("KPLAN_CRASH_AFTER")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("KPLAN_CRASH_AFTER=%q: want a number of journal records", text)
	}
	return func(records int) {
		if records >= n {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // never returns
		}
	}, nil
}

// record appends through the session's state.
func (s *session) record(r state.Record) error {
	r.Run = s.run
	r, err := s.journal.Append(r)
	if err != nil {
		return err
	}
	s.state.Apply(r)
	return nil
}

// open writes the records with which a run begins.
func (s *session) open(p *plan.Plan, c *clusters, r *review) error {
	if s.state.Began == nil {
		if err := s.record(state.Record{Begin: &state.Begin{Migration: p.Migration.Name, Source: c.source.ClusterID(), Target: c.target.ClusterID()}}); err != nil {
			return err
		}
	}
	who, host := whoami()
	if err := s.record(state.Record{RunBegan: &state.RunBegan{PlanHash: p.Hash(), Scheme: string(p.Migration.Scheme.Kind), Who: who, Host: host, Version: version}}); err != nil {
		return err
	}
	sel := s.state.Selection
	if sel == nil || !slices.Equal(sel.Topics, r.selection.Topics) || !slices.Equal(sel.Groups, r.selection.Groups) {
		return s.record(state.Record{Selection: &state.Selection{Topics: r.selection.Topics, Groups: r.selection.Groups}})
	}
	return nil
}

// reopen lets the steps of topics run again that the diff wants changed although
// they are done: somebody has changed the topic since, or the plan.
func (s *session) reopen(r *review) {
	for _, c := range r.doc.Changes {
		step, known := s.state.Steps[c.Address]
		if known && c.Object.Kind == "topic" && (c.Action == diff.Create || c.Action == diff.Update) {
			step.Status = state.Pending
			s.state.Steps[c.Address] = step
		}
	}
}

// close ends a run that died after its last step.
func (s *session) close() error {
	if s.state.Began == nil || s.state.Ended != nil {
		return nil
	}
	return s.record(state.Record{RunEnded: &state.RunEnded{Outcome: outcomeDone}})
}

func (a *app) run(ctx context.Context, cmd *cobra.Command, p *plan.Plan, c *clusters, s *session, r *review, f applyFlags) error {
	leaveOut, err := safeguard(f.sabotage, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if err := s.open(p, c, r); err != nil {
		return err
	}
	s.reopen(r)
	log, err := a.logger()
	if err != nil {
		return err
	}
	printer := report.NewProgress(cmd.ErrOrStderr(), watched(cmd.ErrOrStderr()), time.Now)
	patience := min(brokerPatience, p.Migration.Scheme.DrainTimeout)
	engine := &executor.Engine{
		Plan: p, Graph: r.graph, Source: c.source.Patient(patience), Target: c.target.Patient(patience), Switches: a.switches(p, s.dir),
		Journal: s.journal, State: s.state, RunID: s.run, Defaults: r.target.Defaults,
		Inbox: inbox(s.dir), Clock: executor.WallClock{}, Emit: logged(log, briefly(printer.Event)), Waits: a.interactive(),
		DoneHint: a.doneHint, LeaveOut: leaveOut,
	}
	told := context.AfterFunc(ctx, func() {
		fmt.Fprintln(cmd.ErrOrStderr(), "Interrupted: nothing new is begun, what is under way is brought to a safe end. Once more ends kplan at once.") // a note
	})
	result := engine.Run(ctx)
	told()
	doc := applyDoc{Migration: p.Migration.Name, Run: s.run, Done: result.Done, Total: result.Total, Restored: result.Restored, Stopped: result.Stopped, Held: result.Held, Diff: r.doc}
	doc.fill(result)
	ended := state.RunEnded{Outcome: doc.Outcome, Error: strings.Join(doc.Errors, "\n")}
	if _, err := s.journal.Append(state.Record{Run: s.run, RunEnded: &ended}); err != nil {
		doc.unrecorded(err, result.Err)
	}
	return a.finish(cmd, doc, &result)
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
	case executor.Placement, executor.DrainWait, executor.Quiet:
		_, err := fmt.Fprintf(w, "SABOTAGE: %s. Records may be lost or repeated; this is for demonstrations only.\n", name)
		return s, err
	default:
		return "", fmt.Errorf("--sabotage %q: want skip-placement, start-before-drain or no-quiet", name)
	}
}

func (a *app) doneHint(address string) string {
	command := filepath.Base(a.self)
	if a.dir != "." {
		command += " -C " + a.dir
	}
	return command + " done '" + address + "'"
}

// inbox reads the answers in a state directory.
type inbox string

// Letters returns the answers that wait.
func (i inbox) Letters() ([]state.Letter, error) { return state.Letters(string(i)) }
