//go:build bench

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

// runs is how often each case is measured.
const runs = 3

// sample is one run of the binary.
type sample struct {
	wall   time.Duration
	cpu    time.Duration // user and system
	rss    int64         // peak, in KiB
	code   int
	stdout string
	stderr string
}

// kplan runs the binary in a directory and measures it.
func kplan(t *testing.T, binary, dir string, env []string, args ...string) sample {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "KPLAN_NO_INPUT=1", "NO_COLOR=1")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(began), stdout: stdout.String(), stderr: stderr.String()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s.code = cmd.ProcessState.ExitCode()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.rss = usage.Maxrss
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return s
}

// mark is what a case has to keep below; zero is no mark.
type mark struct {
	wall time.Duration
	rss  int64 // KiB
}

func (m mark) String() string {
	var parts []string
	if m.wall > 0 {
		parts = append(parts, "< "+m.wall.String())
	}
	if m.rss > 0 {
		parts = append(parts, fmt.Sprintf("< %d MB", m.rss>>10))
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// row is one line of the table.
type row struct {
	name, size string
	samples    []sample
	mark       mark
}

func (r row) median() time.Duration {
	walls := r.walls()
	return walls[len(walls)/2]
}

func (r row) walls() []time.Duration {
	var walls []time.Duration
	for _, s := range r.samples {
		walls = append(walls, s.wall)
	}
	slices.Sort(walls)
	return walls
}

func (r row) peak() int64 {
	var peak int64
	for _, s := range r.samples {
		peak = max(peak, s.rss)
	}
	return peak
}

// verdict judges the median, and the peak of all runs.
func (r row) verdict() string {
	switch {
	case r.mark == mark{}:
		return "no mark"
	case r.mark.wall > 0 && r.median() >= r.mark.wall:
		return "MISSED: too slow"
	case r.mark.rss > 0 && r.peak() >= r.mark.rss:
		return "MISSED: too large"
	}
	return "kept"
}

// table collects the rows of all tests. They run one after the other.
type table struct{ rows []row }

var results table

func (b *table) add(t *testing.T, r row) {
	t.Helper()
	b.rows = append(b.rows, r)
	t.Logf("%s (%s): median %s, peak %d MB, %s", r.name, r.size, short(r.median()), r.peak()>>10, r.verdict())
}

func (b *table) missed() bool {
	return slices.ContainsFunc(b.rows, func(r row) bool { return strings.HasPrefix(r.verdict(), "MISSED") })
}

func (b *table) print(w io.Writer) {
	if len(b.rows) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "case\tsize\tmedian\tmin to max\tCPU\tpeak RSS\tmark\tverdict")
	for _, r := range b.rows {
		walls := r.walls()
		var cpu time.Duration
		for _, s := range r.samples {
			cpu += s.cpu
		}
		used, peak := "-", "-" // what runs in this process has none of its own
		if r.peak() > 0 {
			used, peak = short(cpu/time.Duration(len(r.samples))), fmt.Sprintf("%d MB", r.peak()>>10)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s to %s\t%s\t%s\t%s\t%s\n", r.name, r.size, short(r.median()),
			short(walls[0]), short(walls[len(walls)-1]), used, peak, r.mark, r.verdict())
	}
	_ = tw.Flush() // to the test's own output
}

func short(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }
