package driver

import (
	"context"

	"kplan/internal/cluster"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// Groups tells the lowest positions of a cluster's groups; kafka.Client does.
type Groups interface {
	LowestCommits(ctx context.Context, topics []string) (map[cluster.TopicPartition]cluster.LowestCommit, error)
}

// Positions asks a cluster for what its groups have read.
func Positions(of Groups) mirror.Positions {
	return func(ctx context.Context, topics []string) (map[wire.Partition]mirror.Position, error) {
		lowest, err := of.LowestCommits(ctx, topics)
		if err != nil {
			return nil, err
		}
		at := map[wire.Partition]mirror.Position{}
		for tp, one := range lowest {
			at[wire.Partition{Topic: tp.Topic, Number: tp.Partition}] = mirror.Position{Offset: one.Offset, Group: one.Group}
		}
		return at, nil
	}
}
