package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/IBM/sarama"
)

// Bounds of one request for changes. A KRaft controller takes at most 10,000
// records (changes of its metadata) for one request: a topic is one, and so are
// each of its partitions and configs. A request that is too large fails as a
// whole: 4.3.0 refuses 200 topics of 45 partitions with 10 configs each.
const (
	batchTopics  = 200
	batchRecords = 8000
)

// batches cuts names into sorted lists of at most batchTopics, whose records add
// up to at most batchRecords. A topic that is too large gets a list of its own.
func batches(names []string, records func(name string) int) [][]string {
	slices.Sort(names)
	var out [][]string
	var open []string
	sum := 0
	for _, name := range names {
		n := records(name)
		if len(open) > 0 && (len(open) == batchTopics || sum+n > batchRecords) {
			out, open, sum = append(out, open), nil, 0
		}
		open, sum = append(open, name), sum+n
	}
	if len(open) > 0 {
		out = append(out, open)
	}
	return out
}

// answer is what the brokers say about one topic of a request.
type answer struct {
	code sarama.KError
	text string
}

// request is one request for changes of many topics, sent until each of them has
// an answer that stands.
type request struct {
	doing string // "creating", "altering configs of", ...: goes before "topic \"x\"" and "7 topics"
	send  func(topics []string) (map[string]answer, error)
	asks  bool // with validateOnly: about topics that are long there, so nothing has to settle

	left   map[string]bool // no answer yet
	unsure map[string]bool // sent before, and nobody knows whether it was done
	done   map[string]bool // accepted
	errs   map[string]error
}

func newRequest(topics []string, doing string, asks bool, send func([]string) (map[string]answer, error)) *request {
	b := &request{doing: doing, send: send, asks: asks, left: map[string]bool{}, unsure: map[string]bool{}, done: map[string]bool{}, errs: map[string]error{}}
	for _, t := range topics {
		b.left[t] = true
	}
	return b
}

func (b *request) what(topic string) string { return fmt.Sprintf("%s topic %q", b.doing, topic) }

// whole is what the request is about, for errors.
func (b *request) whole() string { return several(b.doing, slices.Sorted(maps.Keys(b.left))) }

func several(doing string, topics []string) string {
	if len(topics) == 1 {
		return fmt.Sprintf("%s topic %q", doing, topics[0])
	}
	return fmt.Sprintf("%s %d topics", doing, len(topics))
}

// run sends the batch, and again what a moving controller or a lost answer has
// left open. settled is asked about refusals of topics that an earlier sending
// may have changed: true says that what was asked for is there.
func (c *Client) run(ctx context.Context, b *request, settled func(topic string) (bool, error)) error {
	err := c.retry(ctx, b.whole(), func() error {
		answers, err := b.send(slices.Sorted(maps.Keys(b.left)))
		if err != nil {
			if disconnected(err) || errors.Is(err, sarama.ErrRequestTimedOut) {
				maps.Copy(b.unsure, b.left)
			}
			return err
		}
		var open error
		for topic := range maps.Clone(b.left) {
			a, ok := answers[topic]
			if !ok {
				return fmt.Errorf("%s: %w", b.what(topic), sarama.ErrIncompleteResponse)
			}
			stands, err := b.take(topic, a, settled)
			switch {
			case err != nil:
				return err
			case stands:
				delete(b.left, topic)
			default:
				open = fmt.Errorf("%s: %w", b.what(topic), a.code)
			}
		}
		return open
	})
	if err == nil {
		return nil
	}
	for topic := range b.left {
		if b.errs[topic] == nil {
			return fmt.Errorf("%s in %s: %w", b.whole(), c.ep.Name(), err)
		}
	}
	return nil
}

// take notes the answer about one topic and reports whether it stands.
func (b *request) take(topic string, a answer, settled func(topic string) (bool, error)) (bool, error) {
	switch a.code {
	case sarama.ErrNoError:
		b.done[topic] = true
		delete(b.errs, topic)
		return true, nil
	case sarama.ErrRequestTimedOut:
		b.unsure[topic] = true
		return false, nil
	case sarama.ErrUnknownTopicOrPartition: // just created, perhaps; if not, this is the answer
		b.errs[topic] = refusal(b.what(topic), a.code, a.text)
		return b.asks, nil
	}
	if retriable(a.code) {
		return false, nil
	}
	if b.unsure[topic] {
		there, err := settled(topic)
		if err != nil {
			return false, err
		}
		if there {
			b.done[topic] = true
			return true, nil
		}
	}
	b.errs[topic] = refusal(b.what(topic), a.code, a.text)
	return true, nil
}
