package main

import (
	"errors"
	"fmt"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// translate looks positions up. One before the beginning of a map is at it: its
// records were gone before the copy began.
func translate(known map[wire.Partition]*mirror.Map, positions map[cluster.TopicPartition]int64) (map[cluster.TopicPartition]int64, error) {
	places := map[cluster.TopicPartition]int64{}
	for tp, at := range positions {
		one := known[wire.Partition{Topic: tp.Topic, Number: tp.Partition}]
		if one == nil || one.End().Source < at {
			continue
		}
		place, err := one.ToTarget(max(at, one.Start().Source))
		if err != nil {
			return nil, fmt.Errorf("translating offset %d of %s: %w", at, tp, err)
		}
		places[tp] = place
	}
	return places, nil
}

// lagOf adds up standings; with topics only theirs. A partition that cannot go
// on is the error.
func lagOf(standings []mirror.Standing, topics []string) (executor.CopyLag, error) {
	wanted := map[string]bool{}
	for _, t := range topics {
		wanted[t] = true
	}
	var some []mirror.Standing
	var stopped []error
	for _, s := range standings {
		if len(topics) > 0 && !wanted[s.Topic] {
			continue
		}
		if s.Phase == mirror.Stopped {
			stopped = append(stopped, s.Why)
			continue
		}
		some = append(some, s)
	}
	total := mirror.Total(some)
	return executor.CopyLag{Records: total.Lag, Text: progressText(total)}, errors.Join(stopped...)
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
