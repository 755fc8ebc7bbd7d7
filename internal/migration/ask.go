package migration

import (
	"context"
	"errors"
	"fmt"

	"kplan/internal/cluster"
	"kplan/internal/kafka"
	"kplan/plan/diff"
)

// askTopics puts the changes of topics to the target's brokers with validateOnly.
func askTopics(ctx context.Context, target *kafka.Client, topics []diff.TopicChange) (map[string]diff.Answer, error) {
	var specs []cluster.TopicSpec
	configs := map[string]map[string]*string{}
	totals := map[string]int{}
	answers := map[string]diff.Answer{}
	for _, t := range topics {
		switch t.Action {
		case diff.Create:
			specs = append(specs, cluster.TopicSpec{
				Name: t.Want.Name, Partitions: int(t.Want.Partitions), ReplicationFactor: int(t.Want.ReplicationFactor), Configs: t.Want.Configs,
			})
		case diff.Update:
			configs[t.Topic] = t.Alterations()
			if t.Partitions > 0 {
				totals[t.Topic] = int(t.Partitions)
			}
		default:
			continue
		}
		answers[t.Topic] = diff.Answer{Accepted: true}
	}
	creating, err1 := target.CreateTopics(ctx, specs, true)
	altering, err2 := target.AlterTopics(ctx, configs, true)
	growing, err3 := target.GrowTopics(ctx, totals, true)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("asking the target's brokers about the changes: %w", err)
	}
	for _, refusals := range []map[string]error{growing, altering, creating} {
		for topic, err := range refusals {
			var refused *kafka.RefusedError
			if errors.Is(err, cluster.ErrTopicExists) {
				return nil, fmt.Errorf("topic %q: %w", topic, errMovedOn)
			}
			if !errors.As(err, &refused) {
				return nil, fmt.Errorf("asking the target's brokers about the changes: %w", err)
			}
			answers[topic] = diff.Answer{Reason: refused.Text}
		}
	}
	return answers, nil
}

// askQuotas puts the quotas to the target's brokers with validateOnly. Rules and
// users cannot be asked about.
func askQuotas(ctx context.Context, target *kafka.Client, changes []diff.QuotaChange) (map[cluster.QuotaEntity]diff.Answer, error) {
	quotas := diff.QuotasToSet(changes)
	if len(quotas) == 0 {
		return nil, nil
	}
	refusals, err := target.SetQuotas(ctx, quotas, true)
	if err != nil {
		return nil, fmt.Errorf("asking the target's brokers about the quotas: %w", err)
	}
	answers := map[cluster.QuotaEntity]diff.Answer{}
	for _, q := range quotas {
		answers[q.Entity] = diff.Answer{Accepted: refusals[q.Entity] == nil}
		var refused *kafka.RefusedError
		switch err := refusals[q.Entity]; {
		case errors.As(err, &refused):
			answers[q.Entity] = diff.Answer{Reason: refused.Text}
		case err != nil:
			return nil, fmt.Errorf("asking the target's brokers about the quota of %s: %w", q.Entity, err)
		}
	}
	return answers, nil
}
