package driver

import (
	"errors"
	"fmt"
	"time"

	"kplan/mirror"
)

// stopped is why partitions of topics cannot be copied; nil: all can. No topics:
// all of them.
func stopped(standings []mirror.Standing, topics []string) error {
	var why []error
	for _, s := range about(standings, topics) {
		if s.Phase == mirror.Stopped {
			why = append(why, s.Why)
		}
	}
	return errors.Join(why...)
}

// about are the standings of topics; no topics: all.
func about(standings []mirror.Standing, topics []string) (some []mirror.Standing) {
	wanted := map[string]bool{}
	for _, t := range topics {
		wanted[t] = true
	}
	for _, s := range standings {
		if len(topics) == 0 || wanted[s.Topic] {
			some = append(some, s)
		}
	}
	return some
}

// progressText says how fast a copy is, when it will have caught up, and what
// limits it.
func progressText(p mirror.Progress) string {
	text := fmt.Sprintf("%.1f MB/s", p.ByteRate/1e6)
	if p.Lag == 0 {
		return text
	}
	if p.LagBytes >= 0 {
		text += fmt.Sprintf(", about %.1f MB", float64(p.LagBytes)/1e6)
	}
	if p.ETA >= 0 {
		text += fmt.Sprintf(", %s to go", p.ETA.Round(time.Second))
	}
	switch p.Limit {
	case mirror.ByTarget, mirror.BySource, mirror.ByThrottle:
		text += ", limited by the " + p.Limit.String()
	case mirror.ByReplicas:
		text += ", waiting for replicas of the target (min.insync.replicas)"
	case mirror.ByTrouble:
		text += ", a broker does not answer"
	case mirror.ByNothing:
	}
	return text
}
