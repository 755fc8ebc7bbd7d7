package mirror

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"kplan/mirror/wire"
)

// What is set by hand on a topic of the target, the next apply sets back: a record
// that is too large for it names the plan's own words.
func TestARefusedRecordNamesThePlan(t *testing.T) {
	err := &RefusedError{Partition: wire.Partition{Topic: "orders", Number: 3}, Source: 7, Records: 1, Size: 2000, Cause: kerr.MessageTooLarge}
	for _, want := range []string{`orders[3]`, `topics { topic "orders" { config = { "max.message.bytes" = 2048 } } }`, "the next apply gives back"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
