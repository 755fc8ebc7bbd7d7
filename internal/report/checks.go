package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"

	"kplan/internal/migration"
	"kplan/plan/diff"
)

// VerifyText shows what verify has found.
func VerifyText(w io.Writer, v migration.Verdicts) error {
	var b strings.Builder
	if err := Checks(&b, v.Checks); err != nil {
		return err
	}
	fmt.Fprintf(&b, "%s at level %s: %s.\n", v.Migration, v.Level, Tally(v.Summary))
	_, err := io.WriteString(w, b.String())
	return err
}

// Tally counts the verdicts in words.
func Tally(summary map[string]int) string {
	return fmt.Sprintf("%d pass, %d fail, %d unknown, %d error, %d waived", summary["pass"], summary["fail"], summary["unknown"], summary["error"], summary["waived"])
}

// Checks writes a table of the checks, and below it what to do about those
// that do not pass.
func Checks(b *strings.Builder, all []diff.Check) error {
	table := tablewriter.NewWriter(b)
	table.Header("verdict", "check", "object", "saw")
	for _, c := range all {
		verdict := strings.ToUpper(string(c.Verdict))
		if c.Waived != "" {
			verdict = "waived"
		}
		if err := table.Append(verdict, c.Name, c.Object.Name, c.Saw); err != nil {
			return fmt.Errorf("writing the checks: %w", err)
		}
	}
	if len(all) > 0 {
		if err := table.Render(); err != nil {
			return fmt.Errorf("writing the checks: %w", err)
		}
	}
	for _, c := range all {
		switch {
		case c.Waived != "":
			fmt.Fprintf(b, "waived: %s %s: %s\n", c.Name, c.Object.Name, c.Waived)
		case c.Verdict != diff.Pass && c.Advice != "":
			fmt.Fprintf(b, "%s %s: %s.\n", c.Name, c.Object.Name, strings.TrimSuffix(c.Advice, "."))
		}
	}
	return nil
}
