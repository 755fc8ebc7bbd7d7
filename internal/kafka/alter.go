package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// AlterTopics sets configs of topics incrementally, or deletes the ones with a
// nil value (KIP-339), many topics to a request and each topic in one request
// (R15); with validateOnly it asks the brokers whether they would. The map
// holds the topics that were refused, each with a *RefusedError. It returns when
// every broker that can be asked shows what was accepted: with KRaft the
// controller answers before a broker has applied the change. The error is that
// of a whole request.
func (c *Client) AlterTopics(ctx context.Context, changes map[string]map[string]*string, validateOnly bool) (map[string]error, error) {
	errs := map[string]error{}
	for _, names := range batches(slices.Collect(maps.Keys(changes)), func(n string) int { return len(changes[n]) }) {
		var before map[string]map[string]cluster.Config
		if !validateOnly {
			var err error
			if before, err = c.configsBefore(ctx, names); err != nil {
				return errs, err
			}
		}
		b := newRequest(names, altering, validateOnly, func(topics []string) (map[string]answer, error) {
			return c.sendAlter(topics, changes, validateOnly)
		})
		// The same values again do no harm, so a refusal is one.
		err := c.run(ctx, b, func(string) (bool, error) { return false, nil })
		maps.Copy(errs, b.errs)
		if err != nil {
			return errs, err
		}
		if validateOnly {
			continue
		}
		altered := map[string]map[string]*string{}
		for topic := range b.done {
			altered[topic] = changes[topic]
		}
		if err := c.awaitConfigs(ctx, altered, before); err != nil {
			return errs, err
		}
	}
	return errs, nil
}

const altering = "altering configs of"

// configsBefore reads what awaitConfigs compares with. A topic that is not
// there is left for the request itself to be refused.
func (c *Client) configsBefore(ctx context.Context, names []string) (map[string]map[string]cluster.Config, error) {
	var before map[string]map[string]cluster.Config
	err := c.retry(ctx, "reading the configs before they are altered", func() (err error) {
		before, err = c.configsOf(ctx, names, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s in %s: reading them before: %w", several(altering, names), c.ep.Name(), err)
	}
	return before, nil
}

func (c *Client) sendAlter(topics []string, changes map[string]map[string]*string, validateOnly bool) (map[string]answer, error) {
	req := &sarama.IncrementalAlterConfigsRequest{Version: 1, ValidateOnly: validateOnly}
	for _, topic := range topics {
		entries := make(map[string]sarama.IncrementalAlterConfigsEntry, len(changes[topic]))
		for k, v := range changes[topic] {
			op := sarama.IncrementalAlterConfigsOperationSet
			if v == nil {
				op = sarama.IncrementalAlterConfigsOperationDelete
			}
			entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: op, Value: v}
		}
		req.Resources = append(req.Resources, &sarama.IncrementalAlterConfigsResource{Type: sarama.TopicResource, Name: topic, ConfigEntries: entries})
	}
	b, err := c.controller()
	if err != nil {
		return nil, err
	}
	resp, err := b.IncrementalAlterConfigs(req)
	if err != nil {
		return nil, err
	}
	answers := make(map[string]answer, len(resp.Resources))
	for _, r := range resp.Resources {
		answers[r.Name] = answer{code: sarama.KError(r.ErrorCode), text: r.ErrorMsg}
	}
	return answers, nil
}

// unapplied names a config whose change does not show yet, or nothing.
func unapplied(changes map[string]*string, before map[string]cluster.Config, now map[string]string) string {
	for _, k := range slices.Sorted(maps.Keys(changes)) {
		want := changes[k]
		was, known := before[k]
		wasSet := known && was.Source == cluster.SourceTopic
		is, isSet := now[k]
		if want == nil && isSet || want != nil && (!isSet || wasSet && is == was.Value && is != strings.TrimSpace(*want)) {
			return k
		}
	}
	return ""
}
