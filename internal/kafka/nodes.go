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

// brokerConfigs are the configs of brokers that checks compare.
func brokerConfigs() []string {
	return []string{
		"allow.everyone.if.no.acl.found", "authorizer.class.name", "auto.create.topics.enable", "connection.failed.authentication.delay.ms", "connections.max.idle.ms",
		"default.replication.factor", "group.consumer.max.session.timeout.ms", "group.consumer.min.session.timeout.ms",
		"group.max.session.timeout.ms", "group.max.size", "group.min.session.timeout.ms",
		"inter.broker.protocol.version", "max.connection.creation.rate", "max.connections", "max.connections.per.ip",
		"message.max.bytes", "min.insync.replicas", "offset.metadata.max.bytes", "offsets.retention.minutes",
		"process.roles", "producer.id.expiration.ms", "replica.fetch.max.bytes", "socket.request.max.bytes", "super.users", "transaction.max.timeout.ms",
		"transactional.id.expiration.ms", "zookeeper.connect",
	}
}

// Nodes asks every broker about itself: the requests that it speaks, some of
// its configs, and its log directories with the logs of the wanted topics. A
// broker that refuses one of the questions says so in its Node.
func (c *Client) Nodes(ctx context.Context, want func(topic string) bool) ([]cluster.Node, error) {
	var nodes []cluster.Node
	err := c.retry(ctx, "asking the brokers about themselves", func() error {
		brokers, err := c.brokers()
		if err != nil {
			return err
		}
		nodes = make([]cluster.Node, len(brokers))
		errs := make([]error, len(brokers))
		var wg sync.WaitGroup
		for i, b := range brokers {
			wg.Go(func() { nodes[i], errs[i] = node(b, want) })
		}
		wg.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, fmt.Errorf("asking the brokers of %s about themselves: %w", c.ep.Name(), err)
	}
	return nodes, nil
}

func node(b *sarama.Broker, want func(topic string) bool) (cluster.Node, error) {
	n := cluster.Node{ID: b.ID(), Requests: map[int16]cluster.Versions{}, Features: map[string]int16{}}
	spoken, err := b.ApiVersions(&sarama.ApiVersionsRequest{Version: 3, ClientSoftwareName: "kplan", ClientSoftwareVersion: "1"})
	if err != nil {
		return n, fmt.Errorf("asking broker %d for its versions: %w", n.ID, err)
	}
	for _, k := range spoken.ApiKeys {
		n.Requests[k.ApiKey] = cluster.Versions{Min: k.MinVersion, Max: k.MaxVersion}
	}
	for _, f := range spoken.FinalizedFeatures {
		n.Features[f.Name] = f.MaxVersionLevel
	}
	configs, err := b.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: 4, Resources: []*sarama.ConfigResource{{
		Type: sarama.BrokerResource, Name: strconv.Itoa(int(n.ID)), ConfigNames: brokerConfigs(),
	}}})
	if disconnected(err) {
		return n, fmt.Errorf("asking broker %d for its configs: %w", n.ID, err)
	}
	n.Configs, n.NoConfig = nodeConfigs(configs, err)
	dirs, err := b.DescribeLogDirs(&sarama.DescribeLogDirsRequest{Version: 4})
	if disconnected(err) {
		return n, fmt.Errorf("asking broker %d for its log directories: %w", n.ID, err)
	}
	n.Disk, n.NoDisk = nodeDisk(dirs, err, want)
	return n, nil
}

func nodeConfigs(resp *sarama.DescribeConfigsResponse, err error) (map[string]cluster.Config, string) {
	if err != nil {
		return nil, err.Error()
	}
	configs := map[string]cluster.Config{}
	for _, r := range resp.Resources {
		if kerr := sarama.KError(r.ErrorCode); !errors.Is(kerr, sarama.ErrNoError) {
			return nil, kerr.Error()
		}
		for _, e := range r.Configs {
			configs[e.Name] = cluster.Config{Value: e.Value, Source: cluster.ConfigSource(e.Source), Sensitive: e.Sensitive, ReadOnly: e.ReadOnly}
		}
	}
	return configs, ""
}

// nodeDisk adds the directories up. Before 3.2 a broker answers with none where
// the right is missing; it has at least one.
func nodeDisk(resp *sarama.DescribeLogDirsResponse, err error, want func(topic string) bool) (cluster.Disk, string) {
	disk := cluster.Disk{Logs: map[cluster.TopicPartition]int64{}}
	switch {
	case err != nil:
		return disk, err.Error()
	case !errors.Is(resp.ErrorCode, sarama.ErrNoError):
		return disk, resp.ErrorCode.Error()
	case len(resp.LogDirs) == 0:
		return disk, "it lists no log directories: the right Describe on the cluster may be missing"
	}
	for _, dir := range resp.LogDirs {
		if !errors.Is(dir.ErrorCode, sarama.ErrNoError) {
			return disk, fmt.Sprintf("its log directory %s is offline: %s", dir.Path, dir.ErrorCode.Error())
		}
		if resp.Version < 4 || dir.UsableBytes < 0 {
			disk.Usable = -1
		} else if disk.Usable >= 0 {
			disk.Usable += dir.UsableBytes
		}
		for _, t := range dir.Topics {
			wanted := want(t.Topic)
			for _, p := range t.Partitions {
				disk.Used += p.Size
				if wanted && !p.IsTemporary {
					disk.Logs[cluster.TopicPartition{Topic: t.Topic, Partition: p.PartitionID}] += p.Size
				}
			}
		}
	}
	return disk, ""
}
