package kafka

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

func brokerOf(b *sarama.Broker) cluster.Broker {
	return cluster.Broker{ID: b.ID(), Address: b.Addr(), Rack: b.Rack()}
}

// discover lets the client library find out who the brokers are. The library
// keeps the metadata of what it was asked about and asks again every ten
// minutes: asked about one topic, it leaves a cluster of a hundred thousand
// partitions alone. Whether the topic is there, or may be described, does not
// matter here.
func (c *Client) discover() error {
	err := c.client.RefreshMetadata(offsetsTopic)
	var kerr sarama.KError
	if errors.As(err, &kerr) && len(c.client.Brokers()) > 0 {
		return nil
	}
	return err
}

// metadata asks one broker, not the library's cache. A nil list of topics asks
// for all of them, an empty one for none.
func (c *Client) metadata(topics []string) (*sarama.MetadataResponse, error) {
	resp, _, err := c.metadataFrom(nil, topics)
	return resp, err
}

// metadataFrom asks another broker than those to avoid, where there is one, and
// returns which one answered.
func (c *Client) metadataFrom(avoid map[int32]bool, topics []string) (*sarama.MetadataResponse, int32, error) {
	brokers := c.client.Brokers()
	sort.Slice(brokers, func(i, j int) bool { return !avoid[brokers[i].ID()] && avoid[brokers[j].ID()] })
	if len(brokers) == 0 {
		brokers = append(brokers, c.client.LeastLoadedBroker())
	}
	var errs []error
	for _, b := range brokers {
		if b == nil {
			continue
		}
		resp, err := c.metadataOf(b, topics)
		if err == nil {
			return resp, b.ID(), nil
		}
		errs = append(errs, fmt.Errorf("broker %d at %s: %w", b.ID(), b.Addr(), err))
	}
	if len(errs) == 0 {
		return nil, 0, errors.New("no broker is known")
	}
	return nil, 0, errors.Join(errs...)
}

func (c *Client) metadataOf(b *sarama.Broker, topics []string) (*sarama.MetadataResponse, error) {
	if err := b.Open(c.conf); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		return nil, err
	}
	req := sarama.NewMetadataRequest(c.conf.Version, topics)
	req.Topics = topics
	req.AllowAutoTopicCreation = false
	return b.GetMetadata(req)
}

// broker returns an open connection to the broker. One that has joined since
// is found.
func (c *Client) broker(id int32) (*sarama.Broker, error) {
	b, err := c.client.Broker(id)
	if errors.Is(err, sarama.ErrBrokerNotFound) {
		if err := c.discover(); err != nil {
			return nil, fmt.Errorf("finding broker %d: %w", id, err)
		}
		b, err = c.client.Broker(id)
	}
	if err != nil {
		return nil, fmt.Errorf("finding broker %d: %w", id, err)
	}
	if err := b.Open(c.conf); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		return nil, fmt.Errorf("connecting to broker %d: %w", id, err)
	}
	return b, nil
}

// brokers returns an open connection to each broker that the cluster has now.
func (c *Client) brokers() ([]*sarama.Broker, error) {
	meta, err := c.metadata([]string{})
	if err != nil {
		return nil, fmt.Errorf("asking %s for its brokers: %w", c.ep.Name(), err)
	}
	all := make([]*sarama.Broker, 0, len(meta.Brokers))
	for _, m := range meta.Brokers {
		b, err := c.broker(m.ID())
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// controller returns the broker that takes changes of topics. With KRaft it is
// any broker, and that one forwards them.
func (c *Client) controller() (*sarama.Broker, error) {
	meta, err := c.metadata([]string{})
	if err != nil {
		return nil, fmt.Errorf("asking %s for its controller: %w", c.ep.Name(), err)
	}
	if meta.ControllerID < 0 {
		return nil, sarama.ErrNotController // there is none at the moment: asked again
	}
	return c.broker(meta.ControllerID)
}

// spread shares questions out among the brokers: each broker gets the next one
// when it has answered, for a connection carries one request at a time. What a
// broker that is away was asked another one is asked, as long as one answers; the
// first other error ends the asking. ask must be safe for concurrent use.
func (c *Client) spread(ctx context.Context, questions int, ask func(b *sarama.Broker, question int) error) error {
	if questions == 0 {
		return nil
	}
	brokers, err := c.brokers()
	if err != nil {
		return err
	}
	left := make([]int, questions)
	for q := range left {
		left[q] = q
	}
	var away []error
	for len(left) > 0 {
		var refused error
		if brokers, left, refused = spreadOver(ctx, brokers, left, ask, &away); refused != nil {
			return refused
		}
		if len(brokers) == 0 {
			return errors.Join(away...)
		}
	}
	return nil
}

// spreadOver shares questions among brokers. It returns the brokers that go on
// answering, the questions that were asked of others, and the error of an answer;
// away gets those of connections.
func spreadOver(ctx context.Context, brokers []*sarama.Broker, questions []int, ask func(b *sarama.Broker, question int) error, away *[]error) (there []*sarama.Broker, left []int, refused error) {
	var mu sync.Mutex // guards what is shared
	next := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(questions) == 0 || refused != nil {
			return 0, false
		}
		q := questions[0]
		questions = questions[1:]
		return q, true
	}
	var wg sync.WaitGroup
	for _, b := range brokers {
		wg.Go(func() {
			for q, ok := next(); ok; q, ok = next() {
				err := ask(b, q)
				if ctx.Err() != nil {
					err = context.Cause(ctx)
				}
				if err == nil {
					continue
				}
				mu.Lock()
				defer mu.Unlock()
				err = fmt.Errorf("asking broker %d: %w", b.ID(), err)
				if ctx.Err() != nil || !disconnected(err) {
					refused = errors.Join(refused, err)
					return
				}
				left, *away = append(left, q), append(*away, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			there = append(there, b)
		})
	}
	wg.Wait()
	return there, append(left, questions...), refused
}

// chunks cuts a list into pieces of at most n.
func chunks[T any](all []T, n int) [][]T {
	var out [][]T
	for len(all) > n {
		out = append(out, all[:n:n])
		all = all[n:]
	}
	if len(all) > 0 {
		out = append(out, all)
	}
	return out
}
