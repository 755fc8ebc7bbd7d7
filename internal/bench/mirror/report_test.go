//go:build bench

package mirrorbench

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// outcome is what one program did in one case, from the first record that was
// seen on the target to the last.
type outcome struct {
	bytes, records float64 // of user data
	wall           time.Duration
	cpu            time.Duration // of the program
	brokers        time.Duration // of both brokers
	peak           int64         // bytes
	runs           int
}

// plus adds another run up; the peak is the largest.
func (o outcome) plus(b outcome) outcome {
	return outcome{
		o.bytes + b.bytes, o.records + b.records, o.wall + b.wall, o.cpu + b.cpu, o.brokers + b.brokers, max(o.peak, b.peak), o.runs + 1,
	}
}

func (o outcome) rate() float64 { return o.bytes / 1e6 / o.wall.Seconds() }
func (o outcome) cost() float64 { return o.cpu.Seconds() / (o.bytes / 1e9) }

// The programs.
const (
	kplan = "kplan"
	maker = "MirrorMaker 2"
	pipe  = "TCP proxy"
)

// row is one case.
type row struct {
	title string
	all   map[string]outcome
	marks marks
}

// marks are what a case has to reach; 0 is none.
type marks struct {
	maker float64 // MirrorMaker's CPU over ours, at least
	proxy float64 // our CPU over the proxy's, at most
	speed float64 // our throughput over MirrorMaker's, at least
	peak  int64   // bytes, at most
}

// report collects the rows of all tests; they run one after the other.
type report struct {
	rows  []*row
	notes []string
}

func (r *report) add(title string, m marks, program string, o outcome) {
	for _, one := range r.rows {
		if one.title == title {
			one.all[program] = one.all[program].plus(o)
			return
		}
	}
	r.rows = append(r.rows, &row{title: title, marks: m, all: map[string]outcome{program: outcome{}.plus(o)}})
}

// note adds a line below the table.
func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// write prints the table, and writes it into the file that BENCH_OUT names.
func (r *report) write() error {
	if len(r.rows)+len(r.notes) == 0 {
		return nil
	}
	text := r.markdown()
	fmt.Print("\n", text)
	if path := os.Getenv("BENCH_OUT"); path != "" {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	return nil
}

func (r *report) markdown() string {
	var b strings.Builder
	if len(r.rows) > 0 {
		b.WriteString("| case | program | runs | MB/s | records/s | CPU-s per GB | brokers' CPU-s per GB | peak RSS |\n|---|---|---|---|---|---|---|---|\n")
	}
	for _, one := range r.rows {
		title := one.title
		for _, program := range []string{kplan, maker, pipe} {
			o, ok := one.all[program]
			if !ok {
				continue
			}
			brokers := ""
			if o.brokers > 0 {
				brokers = fmt.Sprintf("%.2f", o.brokers.Seconds()/(o.bytes/1e9))
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %.0f | %s | **%.2f** | %s | %d MB |\n",
				title, program, o.runs, o.rate(), thousands(o.records/o.wall.Seconds()), o.cost(), brokers, o.peak/1e6)
			title = ""
		}
	}
	if len(r.rows) > 0 {
		b.WriteString("\n| case | MirrorMaker's CPU over kplan's | kplan's CPU over the proxy's | throughput over MirrorMaker's | peak RSS |\n|---|---|---|---|---|\n")
	}
	for _, one := range r.rows {
		k := one.all[kplan]
		fmt.Fprintf(&b, "| %s |", one.title)
		m, p := one.all[maker], one.all[pipe]
		judge(&b, "%.1f", quotient(m.cost(), k.cost()), one.marks.maker, true)
		judge(&b, "%.2f", quotient(k.cost(), p.cost()), one.marks.proxy, false)
		judge(&b, "%.1f", quotient(k.rate(), m.rate()), one.marks.speed, true)
		judge(&b, "%.0f MB", float64(k.peak)/1e6, float64(one.marks.peak)/1e6, false)
		b.WriteString("\n")
	}
	for _, n := range r.notes {
		b.WriteString("\n" + n + "\n")
	}
	return b.String()
}

func quotient(a, b float64) float64 {
	if a != a || b != b || b == 0 { // one was not measured
		return 0
	}
	return a / b
}

// judge writes a value with its mark.
func judge(b *strings.Builder, format string, value, mark float64, least bool) {
	if value == 0 {
		b.WriteString(" |")
		return
	}
	fmt.Fprintf(b, " "+format, value)
	if mark != 0 {
		word, verdict := "≤", "kept"
		if least {
			word = "≥"
		}
		if least && value < mark || !least && value > mark {
			verdict = "**missed**"
		}
		fmt.Fprintf(b, " (%s "+format+": %s)", word, mark, verdict)
	}
	b.WriteString(" |")
}

func thousands(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
