package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// showTime bounds how long the brokers may take to show a change that they
// accepted: a batch of topics has thousands of logs to create.
const showTime = 30 * time.Second

// shown asks every broker, all at once, until each one shows what it should.
// late names what is still missing on a broker, or nothing. A broker that
// cannot be asked is left out, as long as another one can.
func (c *Client) shown(ctx context.Context, doing string, late func(b *sarama.Broker) (string, error)) error {
	brokers, err := c.brokers()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, showTime, errLate)
	defer cancel()
	var wg sync.WaitGroup
	missing, errs := make([]string, len(brokers)), make([]error, len(brokers))
	for i, b := range brokers {
		wg.Go(func() { missing[i], errs[i] = c.look(ctx, b, late) })
	}
	wg.Wait()
	unasked := 0
	for i, b := range brokers {
		switch {
		case missing[i] != "":
			return fmt.Errorf("%s: %w: broker %d of %s, %s, after %s. Look at the controller's log, then apply again", doing, cluster.ErrNotShown, b.ID(), c.ep.Name(), missing[i], showTime)
		case disconnected(errs[i]):
			unasked++
		case errs[i] != nil:
			return fmt.Errorf("%s: looking whether broker %d shows it: %w", doing, b.ID(), errs[i])
		}
	}
	if unasked == len(brokers) {
		return fmt.Errorf("%s: looking whether the brokers show it: %w", doing, errors.Join(errs...))
	}
	return nil
}

var errLate = errors.New("the brokers take too long to show a change")

// look asks one broker until nothing is late, or time is up: then it says what.
// A connection that breaks is opened again, once for sure and then for as long
// as the client is patient.
func (c *Client) look(ctx context.Context, b *sarama.Broker, late func(*sarama.Broker) (string, error)) (string, error) {
	began, broken := time.Now(), false
	for {
		missing, err := late(b)
		switch {
		case err == nil && missing == "":
			return "", nil
		case err == nil, retriable(err):
		case disconnected(err) && (!broken || time.Since(began) < min(c.patience, settleTime)):
			broken = true
			_ = b.Close() // one that is closed already is as wanted
			if err := b.Open(c.conf); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
				return "", err
			}
		default:
			return "", err
		}
		if stop := pause(ctx, applyLook); stop != nil {
			if errors.Is(stop, errLate) && missing != "" {
				return missing, nil
			}
			return "", errors.Join(stop, err)
		}
	}
}

// awaitTopics waits until every broker shows the topics with so many
// partitions, each with a leader. Zero partitions mean any number.
func (c *Client) awaitTopics(ctx context.Context, partitions map[string]int) error {
	if len(partitions) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(partitions))
	return c.shown(ctx, several("creating", names), func(b *sarama.Broker) (string, error) {
		meta, err := c.metadataOf(b, names)
		if err != nil {
			return "", err
		}
		led := map[string]int{}
		for _, t := range meta.Topics {
			for _, p := range t.Partitions {
				if p.Leader >= 0 {
					led[t.Name]++
				}
			}
		}
		for _, name := range names {
			if led[name] < max(partitions[name], 1) {
				return fmt.Sprintf("topic %q", name), nil
			}
		}
		return "", nil
	})
}

// awaitConfigs waits until changes of configs show. A broker may write a value
// in another form than it was given, so any other value than before will do.
func (c *Client) awaitConfigs(ctx context.Context, changes map[string]map[string]*string, before map[string]map[string]cluster.Config) error {
	if len(changes) == 0 {
		return nil
	}
	names := slices.Sorted(maps.Keys(changes))
	return c.shown(ctx, several(altering, names), func(b *sarama.Broker) (string, error) {
		resp, err := describeConfigs(b, names)
		if err != nil {
			return "", err
		}
		for _, r := range resp.Resources {
			if kerr := sarama.KError(r.ErrorCode); !errors.Is(kerr, sarama.ErrNoError) {
				return "", fmt.Errorf("reading the configs of topic %q: %w", r.Name, kerr)
			}
			now := map[string]string{}
			for _, e := range r.Configs {
				if cluster.ConfigSource(e.Source) == cluster.SourceTopic {
					now[e.Name] = e.Value
				}
			}
			if key := unapplied(changes[r.Name], before[r.Name], now); key != "" {
				return fmt.Sprintf("%s of topic %q", key, r.Name), nil
			}
		}
		return "", nil
	})
}
