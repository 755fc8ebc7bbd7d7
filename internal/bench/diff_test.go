//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// TestDiff measures `kplan diff` on two embedded clusters of three brokers.
func TestDiff(t *testing.T) {
	bin := binary(t)
	limits := mark{wall: 10 * time.Second, rss: 500 << 10}
	for _, c := range []struct {
		name     string
		fill     fill
		services bool
		mark     mark
	}{
		{"diff, a tenth of the size", fill{Topics: 1000, Partitions: 10, Groups: 400}, true, mark{}},
		{"diff, no services", fill{Topics: 10_000, Partitions: 10, Groups: 4000, Target: true}, false, limits},
		{"diff, the target is empty", fill{Topics: 10_000, Partitions: 10, Groups: 4000}, true, limits},
		{"diff, the target has the topics", fill{Topics: 10_000, Partitions: 10, Groups: 4000, Target: true}, true, limits},
		{"diff, 30 more configs a topic", fill{Topics: 10_000, Partitions: 10, Groups: 4000, Configs: 30, Target: true}, true, limits},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := serveClusters(t, c.fill)
			dir := c.fill.migration(t, at, c.services)
			r := row{name: c.name, mark: c.mark, size: fmt.Sprintf("%d topics, %d partitions, %d groups", c.fill.Topics, c.fill.Topics*c.fill.Partitions, c.fill.Groups)}
			for range runs {
				s := kplan(t, bin, dir, nil, "diff")
				if s.code != 0 {
					t.Fatalf("exit code %d\n%s", s.code, s.stderr[:min(len(s.stderr), 3000)])
				}
				r.samples = append(r.samples, s)
			}
			results.add(t, r)
			full := kplan(t, bin, dir, nil, "diff", "--json")
			c.fill.check(t, full)
			results.add(t, row{name: c.name + ", --json", size: fmt.Sprintf("%d MB of JSON", len(full.stdout)>>20), mark: c.mark, samples: []sample{full}})
		})
	}
}

// check sees that the diff has seen everything.
func (f fill) check(t *testing.T, s sample) {
	t.Helper()
	var doc struct {
		Changes []struct {
			Action string
			Broker string
			Object struct{ Kind string }
		}
	}
	if err := json.Unmarshal([]byte(s.stdout), &doc); err != nil || s.code != 0 {
		t.Fatalf("exit code %d, %v\n%s", s.code, err, s.stderr[:min(len(s.stderr), 3000)])
	}
	create, update, accepted := 0, 0, 0
	for _, c := range doc.Changes {
		if c.Object.Kind != "topic" {
			continue
		}
		switch c.Action {
		case "create":
			create++
		case "update":
			update++
		}
		if c.Broker == "accepted" {
			accepted++
		}
	}
	t.Logf("%d changes: %d topics to create, %d to update, %d accepted by the brokers", len(doc.Changes), create, update, accepted)
	if want := f.Topics; !f.Target && (create != want || accepted != want) {
		t.Errorf("%d topics to create, %d accepted: want %d", create, accepted, want)
	}
}
