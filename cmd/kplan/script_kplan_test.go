package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptKplan runs kplan to its end and holds it to an exit code:
//
//	kplan CODE ARG...
func scriptKplan(ts *testscript.TestScript, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: kplan CODE ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	scriptExec(ts, want, "kplan", args[1:]...)
}

// scriptLimited is scriptKplan with a disk that is full after so many blocks:
//
//	limited BLOCKS CODE ARG...
func scriptLimited(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	scriptExec(ts, want, "sh", append([]string{"-c", `ulimit -f "$0"; exec kplan "$@"`, args[0]}, args[2:]...)...)
}

func scriptExec(ts *testscript.TestScript, want int, program string, args ...string) {
	err := ts.Exec(program, args...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("running kplan: %v", err)
	}
	got := 0
	if exit != nil {
		got = exit.ExitCode()
	}
	scriptHygiene(ts, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	scriptReportsHygiene(ts, args)
	if got != want {
		ts.Fatalf("kplan %s ended with %d, want %d", strings.Join(args, " "), got, want)
	}
}

// scriptHygiene is what holds for every run: no stack trace, no data race, no
// secret, not even in the state, and nothing said twice.
func scriptHygiene(ts *testscript.TestScript, stdout, stderr string) {
	for name, text := range map[string]string{"stdout": stdout, "stderr": stderr} {
		for _, bad := range []string{"goroutine ", "panic:", "runtime error", "DATA RACE", "bug in kplan", "%!", "<nil>"} {
			if strings.Contains(text, bad) {
				ts.Fatalf("%s has %q in it", name, bad)
			}
		}
		if pointer := regexp.MustCompile(`\b0x[0-9a-f]{8,}`).FindString(text); pointer != "" {
			ts.Fatalf("%s has the pointer %s in it", name, pointer)
		}
	}
	if twice := scriptSaidTwice(stderr); twice != "" {
		ts.Fatalf("stderr says twice: %s", twice)
	}
	w := scriptWorldOf(ts)
	for _, secret := range w.secrets {
		if strings.Contains(stdout+stderr, secret) {
			ts.Fatalf("the output shows the secret %s", secret)
		}
		ts.Check(filepath.WalkDir(ts.MkAbs(".kplan"), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return nil // no state, no secret
			}
			if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), secret) {
				return fmt.Errorf("%s shows the secret %s", path, secret)
			}
			return nil
		}))
	}
}

// scriptReportsHygiene holds the reports that a run has left to the same about
// secrets.
func scriptReportsHygiene(ts *testscript.TestScript, args []string) {
	for i, arg := range args {
		if i == 0 || args[i-1] != "--report" {
			continue
		}
		_, file, _ := strings.Cut(arg, "=")
		data, err := os.ReadFile(ts.MkAbs(file))
		for _, secret := range scriptWorldOf(ts).secrets {
			if err == nil && strings.Contains(string(data), secret) {
				ts.Fatalf("%s shows the secret %s", file, secret)
			}
		}
	}
}

// scriptSentence ends with a full stop, a semicolon or a line.
var scriptSentence = regexp.MustCompile(`[.;] |\.?\n`)

// scriptPrefix is what may stand before a sentence without making it another.
var scriptPrefix = regexp.MustCompile(`^(Error|PAGE SOMEONE|Note|(failed|waiting|note) +\S+): `)

// scriptHeading begins what may well come twice: a kind of problem, whose cases
// each say where they are, and what two runs of one program have said.
var scriptHeading = regexp.MustCompile(`^((Error: |Warning: )?KP\d{4} |its last words: )`)

func scriptSaidTwice(text string) string {
	const short = 30 // what is shorter is a phrase
	seen := map[string]bool{}
	for _, s := range scriptSentence.Split(text, -1) {
		s = scriptPrefix.ReplaceAllString(strings.TrimSpace(s), "")
		if len(s) >= short && seen[s] && !scriptHeading.MatchString(s) {
			return s
		}
		seen[s] = true
	}
	return ""
}

// scriptSecret names a text that no output and no state may hold:
//
//	secret TEXT
func scriptSecret(ts *testscript.TestScript, args []string) {
	w := scriptWorldOf(ts)
	w.secrets = append(w.secrets, args...)
}

// scriptPlan copies fragments of plans from testdata/plan into the current
// directory, the programs executable:
//
//	plan NAME...
func scriptPlan(ts *testscript.TestScript, args []string) {
	for _, name := range args {
		data, err := os.ReadFile(filepath.Join(ts.Getenv("PLANS"), name+".kplan.hcl"))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name+".kplan.hcl"), data, 0o644))
	}
	programs, err := os.ReadDir(filepath.Join(ts.Getenv("PLANS"), "ops"))
	ts.Check(err)
	ts.Check(os.MkdirAll(ts.MkAbs("ops"), 0o755))
	for _, program := range programs {
		to := ts.MkAbs(filepath.Join("ops", program.Name()))
		if _, err := os.Stat(to); err == nil {
			continue // the script brings its own
		}
		data, err := os.ReadFile(filepath.Join(ts.Getenv("PLANS"), "ops", program.Name()))
		ts.Check(err)
		ts.Check(os.WriteFile(to, data, 0o755))
	}
	own, err := filepath.Glob(ts.MkAbs("ops/*"))
	ts.Check(err)
	for _, path := range own {
		ts.Check(os.Chmod(path, 0o755)) // an archive has no modes
	}
}

// scriptReplace replaces a text in a file, once; it has to be there:
//
//	replace FILE OLD NEW
func scriptReplace(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not have %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o644))
}
