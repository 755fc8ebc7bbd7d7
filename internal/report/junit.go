package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"kplan/plan/diff"
)

// The elements of the JUnit format, as Jenkins and GitLab read it.
type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
	Skipped *junitResult `xml:"skipped"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes each check as a test case, each error of the plan as well,
// and one for the run itself: a run that failed is never all green, and one
// without checks is not empty. What could not be decided is an error: a skipped
// case would look as if nobody had to mind.
func writeJUnit(w io.Writer, f *Findings) error {
	suite := junitSuite{Name: f.Migration, Timestamp: f.At.UTC().Format(time.RFC3339)}
	if suite.Name == "" {
		suite.Name = "kplan"
	}
	seen := map[string]int{}
	add := func(c junitCase) {
		// Readers merge cases of one name; a check may find two things about a topic.
		key := c.Class + "\x00" + c.Name
		if seen[key]++; seen[key] > 1 {
			c.Name += fmt.Sprintf(" (%d)", seen[key])
		}
		suite.add(c)
	}
	add(runCase(f))
	for _, d := range f.Diagnostics {
		if d.Severity == "error" {
			name := join(spot(d), d.Summary)
			add(junitCase{Class: "plan." + d.Code, Name: name, Error: &junitResult{Message: d.Summary, Type: d.Code, Text: clean(d.Detail)}})
		}
	}
	for _, c := range f.Checks {
		add(checkCase(c))
	}
	all := junitSuites{
		Name: "kplan " + f.Command, Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Skipped: suite.Skipped, Suite: suite,
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the JUnit report: %w", err)
	}
	_, err = io.WriteString(w, xml.Header+string(out)+"\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

// runCase is the case of the command itself.
func runCase(f *Findings) junitCase {
	c := junitCase{Class: "kplan", Name: f.Command}
	text := cleaned(append(append([]string{}, f.Errors...), f.Waiting...))
	message := fmt.Sprintf("%s, exit code %d", f.verdict(), f.ExitCode)
	switch {
	case len(f.Errors) > 0, f.broken():
		c.Error = &junitResult{Message: message, Type: "error", Text: text}
	case len(f.Waiting) > 0:
		c.Skipped = &junitResult{Message: message, Text: text}
	case f.Outcome != "" && f.ExitCode != 0:
		c.Error = &junitResult{Message: message, Type: "error"}
	}
	return c
}

func checkCase(check diff.Check) junitCase {
	c := junitCase{Class: check.Name, Name: about(check.Object)}
	lines := []string{check.Asked, check.Saw}
	if check.Advice != "" {
		lines = append(lines, "→ "+check.Advice)
	}
	result := &junitResult{Message: clean(check.Saw), Type: string(check.Verdict), Text: cleaned(lines)}
	switch {
	case check.Waived != "":
		c.Skipped = &junitResult{Message: "waived: " + clean(check.Waived), Text: cleaned(lines)}
	case check.Verdict == diff.Pass:
	case check.Verdict == diff.Fail:
		c.Failure = result
	default:
		c.Error = result
	}
	return c
}

// cleaned puts each text on a line.
func cleaned(lines []string) string {
	var all []string
	for _, l := range lines {
		if l != "" {
			all = append(all, clean(l))
		}
	}
	return strings.Join(all, "\n")
}
