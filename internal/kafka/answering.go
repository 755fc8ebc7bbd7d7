package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// BrokerConfigs returns those configs of brokers that kplan looks at, by the
// broker's id. away has those that could not be asked, or did not tell, with why:
// nothing is known about them. A broker that is down is not among those that the
// cluster names, and is known by the replicas that it has. The error says that no
// broker told even which ones there are.
func (c *Client) BrokerConfigs(ctx context.Context) (configs map[int32]map[string]cluster.Config, away map[int32]error, err error) {
	var meta *sarama.MetadataResponse
	if err := c.retry(ctx, "asking who the brokers are", func() (err error) {
		meta, err = c.metadata(nil)
		return err
	}); err != nil {
		return nil, nil, fmt.Errorf("asking %s for its brokers: %w", c.ep.Name(), err)
	}
	configs, away = map[int32]map[string]cluster.Config{}, map[int32]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range meta.Brokers {
		wg.Go(func() {
			told, err := c.brokerConfigs(m.ID())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				away[m.ID()] = err
				return
			}
			configs[m.ID()] = told
		})
	}
	wg.Wait()
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			for _, id := range p.Replicas {
				if configs[id] == nil && away[id] == nil {
					away[id] = errDown
				}
			}
		}
	}
	return configs, away, nil
}

var errDown = errors.New("it is down: the cluster does not name it among its brokers")

func (c *Client) brokerConfigs(id int32) (map[string]cluster.Config, error) {
	b, err := c.broker(id)
	if err != nil {
		return nil, err
	}
	resp, err := b.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: 4, Resources: []*sarama.ConfigResource{{
		Type: sarama.BrokerResource, Name: strconv.Itoa(int(id)), ConfigNames: brokerConfigs(),
	}}})
	if err != nil {
		return nil, fmt.Errorf("asking broker %d for its configs: %w", id, err)
	}
	told, refused := nodeConfigs(resp, nil)
	if refused != "" {
		return nil, fmt.Errorf("broker %d does not tell its configs: %s", id, refused)
	}
	return told, nil
}
