package driver

import (
	"context"
	"sync"
	"time"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/mirror/wire"
)

// Logs reads where logs end (R5); kafka.Client does.
type Logs interface {
	LogEnds(ctx context.Context, topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error)
}

// lookEvery is how often the same is asked at most, however many steps wait.
const lookEvery = time.Second

// topicLag is what is not copied of a topic.
type topicLag struct {
	at      time.Time
	records int64
	unknown int // partitions
}

// lags adds up what is not copied, and remembers each topic's answer for a
// moment. It is safe for concurrent use.
type lags struct {
	source Logs

	mu    sync.Mutex // guards what follows
	known map[string]topicLag
}

func newLags(source Logs) *lags { return &lags{source: source, known: map[string]topicLag{}} }

// of returns the lag of topics, by where the copies of their partitions are: the
// source offsets below which all is on the target. One that is not among those is
// unknown, and counts with all that its log has; so is a topic of which no log end
// is told, as of one partition.
func (l *lags) of(ctx context.Context, topics []string, copied func(context.Context, []string) (map[wire.Partition]int64, error)) (lag executor.CopyLag, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var stale []string
	for _, t := range topics {
		if time.Since(l.known[t].at) >= lookEvery {
			stale = append(stale, t)
		}
	}
	if len(stale) > 0 {
		at, err := copied(ctx, stale) // positions before log ends
		if err != nil {
			return lag, err
		}
		ends, err := l.source.LogEnds(ctx, stale)
		if err != nil {
			return lag, err
		}
		fresh := map[string]topicLag{}
		for tp, e := range ends {
			one := fresh[tp.Topic]
			from, known := at[wire.Partition{Topic: tp.Topic, Number: tp.Partition}]
			if !known {
				one.unknown++
			}
			one.records += max(0, e.LastStable-max(e.LogStart, from))
			fresh[tp.Topic] = one
		}
		now := time.Now()
		for _, t := range stale {
			one, told := fresh[t]
			if !told { // no partition of it is known, and so not that none is left to copy
				one.unknown = 1
			}
			one.at = now
			l.known[t] = one
		}
	}
	for _, t := range topics {
		lag.Records += l.known[t].records
		lag.Unknown += l.known[t].unknown
	}
	return lag, nil
}

func partitionsIn[V any](of map[cluster.TopicPartition]V) (all []wire.Partition, topics []string) {
	seen := map[string]bool{}
	for tp := range of {
		all = append(all, wire.Partition{Topic: tp.Topic, Number: tp.Partition})
		if !seen[tp.Topic] {
			seen[tp.Topic] = true
			topics = append(topics, tp.Topic)
		}
	}
	return all, topics
}
