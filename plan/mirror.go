package plan

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Mirror copies the records that the selected topics hold, and those that
// come, from the source to the target.
type Mirror struct {
	Run   string // R17: "apply" (default) or "worker"
	Start string // "earliest" (default) or "latest"
	// Offsets is what becomes of offsets (R21): "translate", or "" where the
	// plan leaves it to kplan. OffsetsOf says what then counts.
	Offsets string
	// BytesPerSecond is the most that is copied, as the batches are on the
	// wire, all workers together; 0: no limit. It is no part of the plan's hash,
	// since it says how fast, not what.
	BytesPerSecond int64
	// SessionTimeout is that of the workers' group; 0: the mirror's own default. It
	// is no part of the plan's hash either.
	SessionTimeout time.Duration
	Topics         []MirroredTopic // in order of declaration
	Range          hcl.Range
}

// MirroredTopic is what the mirror does otherwise with one topic.
type MirroredTopic struct {
	Name    string
	Offsets string // "translate"
	Range   hcl.Range
}

// OffsetsOf returns what becomes of the offsets of a topic: what the plan says
// for it, else what it says for all, else "translate", which is all that this
// version can do.
func (m *Mirror) OffsetsOf(topic string) string {
	for _, t := range m.Topics {
		if t.Name == topic {
			return t.Offsets
		}
	}
	if m.Offsets != "" {
		return m.Offsets
	}
	return offsetsTranslate
}

// LeastThrottle is the smallest bytes_per_second: with less a copy never ends.
const LeastThrottle = 1 << 10
