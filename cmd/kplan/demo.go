package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kplan/examples"
	"kplan/executor"
	"kplan/internal/demo"
	"kplan/internal/embedded"
	"kplan/internal/report"
	"kplan/internal/workload"
)

type demoFlags struct {
	keep     time.Duration
	sabotage string
	scheme   string
}

// The demo's rates: pricing is slower than the shop, so that there is a backlog
// to drain.
const (
	demoRate   = 250
	demoPace   = 120
	demoWarmup = 4 * time.Second
	demoAfter  = 3 * time.Second
	demoLinger = 800 * time.Millisecond
	proofStall = 5 * time.Second
)

// demoDoc is the JSON document of demo.
type demoDoc struct {
	FormatVersion string          `json:"format_version"`
	Scheme        string          `json:"scheme"`
	Sabotage      string          `json:"sabotage,omitempty"`
	Seconds       float64         `json:"seconds"`
	ExitCode      int             `json:"kplan_exit_code"` // of diff, apply and verify: the first that is not 0
	Clean         bool            `json:"clean"`
	Faults        []string        `json:"faults"`
	Proof         workload.Report `json:"proof"`
}

func newDemo(a *app) *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Carry an example plan out on two embedded clusters with live services, and prove what happened",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), f)
		},
	}
	cmd.Flags().DurationVar(&f.keep, "keep", 0, "keep the clusters up for so long afterwards (on a terminal: until Enter)")
	cmd.Flags().StringVar(&f.sabotage, "sabotage", "", "leave a safeguard out: skip-placement, start-before-drain or no-quiet")
	cmd.Flags().StringVar(&f.scheme, "scheme", "production-first", "production-first or production-later")
	return cmd
}

func (a *app) demo(ctx context.Context, out, progress io.Writer, f demoFlags) (err error) {
	if _, err := safeguard(f.sabotage, io.Discard); err != nil {
		return err
	}
	if !slices.Contains(examples.Names(), f.scheme) {
		return fmt.Errorf("--scheme %q: want %s", f.scheme, strings.Join(examples.Names(), " or "))
	}
	began := time.Now()
	dir, err := os.MkdirTemp("", "kplan-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	old, err := embedded.Start(embedded.Options{Brokers: 3})
	if err != nil {
		return err
	}
	defer old.Close()
	target, err := embedded.Start(embedded.Options{Brokers: 3})
	if err != nil {
		return err
	}
	defer target.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding kplan's own binary: %w", err)
	}
	stage, err := demo.Set(demo.Options{
		Dir: dir, Example: f.scheme, Executable: self, Replicas: 3, Rate: demoRate, Pace: demoPace, Linger: demoLinger,
		Source: workload.Connection{Bootstrap: old.Bootstrap()}, Target: workload.Connection{Bootstrap: target.Bootstrap()},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	d := &demonstration{stage: stage, out: progress, self: self}
	doc := demoDoc{FormatVersion: formatVersion, Scheme: f.scheme, Sabotage: f.sabotage}
	if doc.ExitCode, err = d.perform(ctx, f); err != nil {
		return err
	}
	d.say("The shop stops; whatever is on its way is waited for.")
	if doc.Proof, err = stage.Finish(ctx, proofStall); err != nil {
		return err
	}
	doc.Seconds = time.Since(began).Seconds()
	doc.Clean, doc.Faults = verdict(f.scheme, doc.Proof), some(doc.Proof.Sentences())
	if err := a.writeProof(out, doc); err != nil {
		return err
	}
	if err := d.keep(ctx, a.interactive(), f.keep); err != nil {
		return err
	}
	if !doc.Clean || doc.ExitCode != exitDone {
		return &codedError{code: exitError}
	}
	return nil
}

// verdict holds a scheme to what it promises: production_later keeps the order
// on each cluster, not between them.
func verdict(scheme string, r workload.Report) bool {
	if scheme == "production-later" {
		return r.CleanPerCluster()
	}
	return r.Clean()
}

func (a *app) writeProof(w io.Writer, doc demoDoc) error {
	if a.json {
		return printJSON(w, doc)
	}
	promise := "nothing lost, nothing twice, order kept per key"
	if doc.Scheme == "production-later" {
		promise = "nothing lost, nothing twice, no consumer waited; order kept per key on each cluster"
	}
	outcome := "PROVEN: " + promise
	switch {
	case doc.ExitCode != exitDone:
		outcome = fmt.Sprintf("FAILED: kplan exited with %d, see above", doc.ExitCode)
	case !doc.Clean:
		outcome = "BROKEN: see above"
	}
	return report.Proof(w, doc.Proof, fmt.Sprintf("%s (%.0f s).", outcome, doc.Seconds))
}

// demonstration drives the kplan binary as a person would.
type demonstration struct {
	stage *demo.Stage
	out   io.Writer
	self  string
}

func (d *demonstration) say(format string, args ...any) {
	fmt.Fprintf(d.out, "\n"+format+"\n", args...) // narration
}

// perform plays diff, apply and verify while the services run, and returns the
// exit code of the first that does not end well.
func (d *demonstration) perform(ctx context.Context, f demoFlags) (int, error) {
	d.say("Two clusters of three embedded brokers. Three services on the old one: shop writes orders.events, pricing turns them into orders.priced, billing reads those. Starting them.")
	if err := d.stage.Start(ctx); err != nil {
		return 0, err
	}
	if err := wait(ctx, demoWarmup); err != nil {
		return 0, err
	}
	if code, err := d.kplan(ctx, "diff"); err != nil || code != exitDone {
		return code, err
	}
	apply := []string{"apply", "--yes"}
	if f.sabotage != "" {
		apply = append(apply, "--sabotage", f.sabotage)
	}
	code, err := d.kplan(ctx, apply...)
	if err == nil && code == exitDone && f.sabotage == "" {
		code, err = d.kplan(ctx, "verify")
	}
	if err != nil {
		return 0, err
	}
	return code, wait(ctx, demoAfter)
}

// kplan runs one command in the plan's directory.
func (d *demonstration) kplan(ctx context.Context, args ...string) (int, error) {
	d.say("$ kplan %s", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, d.self, args...)
	cmd.Dir = d.stage.PlanDir
	cmd.Env = append(os.Environ(), d.stage.Environ()...)
	cmd.Stdout, cmd.Stderr = d.out, d.out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("running kplan %s: %w", args[0], err)
	}
	return 0, nil
}

// keep leaves the clusters up for a person to look around.
func (d *demonstration) keep(ctx context.Context, interactive bool, limit time.Duration) error {
	if limit == 0 && !interactive {
		return nil
	}
	d.say("The clusters are up. In another terminal:\n  export %s\n  cd %s && %s status", strings.Join(d.stage.Environ(), " "), d.stage.PlanDir, d.self)
	if limit > 0 {
		return wait(ctx, limit)
	}
	d.say("Enter ends the demo.")
	entered := make(chan error, 1)
	go func() {
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		entered <- err
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-entered:
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-executor.WallClock{}.After(d):
		return nil
	}
}
