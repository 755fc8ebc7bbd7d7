package diff

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
)

// unreadable returns a check for each cluster that did not answer, or nil.
// fine, unless nil, is an error that is an answer.
func unreadable(name, asked, what, right string, fine, source, target error) []Check {
	var checks []Check
	for _, end := range []struct {
		side string
		err  error
	}{{"source", source}, {"target", target}} {
		if end.err == nil || fine != nil && errors.Is(end.err, fine) {
			continue
		}
		c := Check{
			Name: name, Object: Object{"cluster", end.side}, Verdict: Error, Asked: asked,
			Saw:    fmt.Sprintf("the %s does not tell %s: %s", end.side, what, end.err),
			Advice: fmt.Sprintf("Compare by hand, and say so: waive %q { reason = \"...\" }", name),
		}
		if errors.Is(end.err, cluster.ErrNotAllowed) {
			c.Advice = fmt.Sprintf("Give kplan's principal the right %s of the %s (kafka-acls --cluster), or compare by hand and say so: waive %q { reason = \"...\" }", right, end.side, name)
		}
		checks = append(checks, c)
	}
	return checks
}

func isNoAuthorizer(err error) bool { return errors.Is(err, cluster.ErrNoAuthorizer) }

// accessPrint adds what apply must find again of rules, quotas and users. Rules
// may be thousands: they are kept as their number and a digest.
func accessPrint(print map[string]string, m *plan.Migration, source, target cluster.Access) {
	for _, c := range ACLs(m, source, target) {
		print[fmt.Sprintf("source rules of %q", c.Principal)] = rulesPrint(c.Wanted)
		print[fmt.Sprintf("target rules of %q", c.Principal)] = rulesPrint(append(Without(c.Wanted, c.Create), c.Extra...))
	}
	for _, c := range Quotas(m, source, target, nil) {
		print[fmt.Sprintf("source quota of %s", c.Entity)] = valuesPrint(c.Wanted)
		if c.Have != nil {
			print[fmt.Sprintf("target quota of %s", c.Becomes)] = valuesPrint(c.Have)
		}
	}
	for _, u := range m.Users {
		for _, t := range target.Users {
			if t.Name == u.Name {
				print[fmt.Sprintf("target user %q", u.Name)] += fmt.Sprintf("%s %d\n", t.Mechanism, t.Iterations)
			}
		}
	}
}

func rulesPrint(rules []cluster.ACL) string {
	sum := sha256.New()
	for _, a := range rules {
		fmt.Fprintf(sum, "%q\n", a.String())
	}
	return fmt.Sprintf("number %d\ndigest %s\n", len(rules), hex.EncodeToString(sum.Sum(nil))[:16])
}

func valuesPrint(values map[string]float64) string {
	var b strings.Builder
	for _, key := range sortedKeys(values) {
		fmt.Fprintf(&b, "%s %s\n", key, number(values[key]))
	}
	return b.String()
}
