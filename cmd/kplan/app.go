package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/internal/migration"
	"kplan/plan"
	"kplan/plan/diff"
)

// app is what every command has: the global flags and the ways to the plan,
// its state and its clusters.
type app struct {
	self     string // argv[0]
	dir      string
	vars     []string
	varFiles []string
	json     bool
	reports  []string // --report, KIND=FILE
	color    string
	noInput  bool
	logLevel string
}

func (a *app) logger() (*slog.Logger, error) {
	level := slog.LevelWarn
	if a.logLevel != "" {
		if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
			return nil, fmt.Errorf("--log-level %q: want debug, info, warn or error", a.logLevel)
		}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})), nil
}

// checkFlags refuses values that no flag takes, whatever the command.
func (a *app) checkFlags() error {
	switch a.color {
	case "auto", "always", "never":
	default:
		return fmt.Errorf("--color %q: want auto, always or never", a.color)
	}
	_, err := a.logger()
	return err
}

// errorDoc is the JSON document of a command that failed before it had one of
// its own.
type errorDoc struct {
	FormatVersion string            `json:"format_version"`
	Errors        []string          `json:"errors"`
	Diagnostics   []diff.Diagnostic `json:"diagnostics"`
	Stopped       []string          `json:"stopped,omitempty"` // services that stand stopped
	ExitCode      int               `json:"exit_code"`
}

// errorDocOf is the document of an error; it has neither errors nor diagnostics
// where everything has been said.
func errorDocOf(err error) errorDoc {
	doc := errorDoc{FormatVersion: formatVersion, Errors: []string{}, Diagnostics: []diff.Diagnostic{}, ExitCode: exitCode(err)}
	var invalid *invalidError
	if errors.As(err, &invalid) {
		doc.Errors, doc.Diagnostics = append(doc.Errors, "the plan has errors"), diff.Diagnostics(invalid.diags)
	}
	var blocked *blockedError
	if errors.As(err, &blocked) {
		doc.Diagnostics = blocked.diagnostics
	}
	var stopped *stoppedError
	if errors.As(err, &stopped) {
		doc.Stopped = stopped.services
	}
	if err != nil && err.Error() != "" {
		doc.Errors = append(doc.Errors, strings.Split(err.Error(), "\n")...)
	}
	return doc
}

// load reads the plan. Diagnostics go to standard error; a plan with errors is
// reported as said already.
func (a *app) load(cmd *cobra.Command) (*plan.Plan, hcl.Diagnostics, *plan.Sources, error) {
	loaded, err := a.tryLoad()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := a.say(cmd.ErrOrStderr(), loaded.Sources, loaded.Diags); err != nil {
		return nil, nil, nil, err
	}
	if loaded.Plan == nil {
		return nil, nil, nil, &invalidError{diags: loaded.Diags, sources: loaded.Sources}
	}
	return loaded.Plan, loaded.Diags, loaded.Sources, nil
}

func (a *app) tryLoad() (*plan.Loaded, error) {
	vars := map[string]string{}
	for _, v := range a.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, fmt.Errorf("--var %s: want NAME=VALUE", name)
		}
		vars[name] = value
	}
	return plan.Load(plan.Options{Dir: a.dir, Vars: vars, VarFiles: a.varFiles, Version: version}), nil
}

func (a *app) say(w io.Writer, sources *plan.Sources, diags hcl.Diagnostics) error {
	if len(diags) == 0 || a.json { // the document has them
		return nil
	}
	return plan.WriteDiagnostics(w, sources, diags, a.colored(w))
}

// colored decides by flag, NO_COLOR, TERM and whether somebody looks.
func (a *app) colored(w io.Writer) bool {
	switch a.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && watched(w)
}

// interactive reports whether a person can be asked.
func (a *app) interactive() bool {
	return !a.noInput && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// watched reports whether somebody looks at what is written.
func watched(w io.Writer) bool {
	if c, ok := w.(*counter); ok {
		w = c.w
	}
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// command is what a person types to run kplan here with these arguments, for the
// same plan: with other variables it would be another one. Variables that are
// secret cannot be given by flag. Where nobody can be asked, apply is told so.
func (a *app) command(args ...string) string {
	words := []string{a.program()}
	if args[0] == "apply" && !a.interactive() {
		args = append(args, "--yes")
	}
	if a.dir != "." {
		words = append(words, "-C", a.dir)
	}
	words = append(words, args...)
	for _, v := range a.vars {
		words = append(words, "--var", v)
	}
	for _, f := range a.varFiles {
		words = append(words, "--var-file", f)
	}
	return cluster.CommandLine(words...)
}

// tellWaits says on standard error what a cluster is waited for.
func tellWaits() kafka.Option {
	return kafka.OnWait(func(line string) { fmt.Fprintln(os.Stderr, line) }) // a note
}

// program is how kplan is called here: by its name where the shell finds it by
// that, else as it was called this time.
func (a *app) program() string {
	name := filepath.Base(a.self)
	if name == a.self {
		return name
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return a.self
	}
	mine, err1 := os.Stat(a.self)
	theirs, err2 := os.Stat(found)
	if err1 != nil || err2 != nil || !os.SameFile(mine, theirs) {
		return a.self
	}
	return name
}

// open connects to both clusters.
func (a *app) open(ctx context.Context, p *plan.Plan) (*migration.Clusters, error) {
	return migration.Open(ctx, p, tellWaits())
}

// whoami names the person and the machine for the records.
func whoami() (who, host string) {
	who = "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	for _, name := range []string{"GITHUB_ACTOR", "GITLAB_USER_LOGIN"} {
		if actor := os.Getenv(name); actor != "" {
			who += " (" + actor + ")"
			break
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return who, host
}
