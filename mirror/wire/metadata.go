package wire

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicID identifies a topic across deletion and re-creation (KIP-516); zero on
// brokers before 2.8.
type TopicID [16]byte

// String is the form that Kafka's tools show.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// Leader says who leads a partition, as one broker knows it.
type Leader struct {
	Broker int32 // -1: nobody
	Epoch  int32 // -1: not told (before 2.1)
}

// Topic is what one broker knows of a topic.
type Topic struct {
	ID      TopicID
	Leaders []Leader // by partition, dense from 0
	Err     error    // Kafka's error: unknown, not authorised
}

// Metadata is what one broker knows of a cluster.
type Metadata struct {
	From      int32 // who told
	ClusterID string
	Brokers   []int32
	Topics    map[string]Topic
}

// Metadata asks some broker for topics. The client learns the brokers'
// addresses by it.
func (c *Client) Metadata(ctx context.Context, topics []string) (Metadata, error) {
	var errs []error
	for range metadataTries {
		m, addresses, err := c.askAny(ctx, topics)
		if err == nil {
			c.mu.Lock()
			c.addresses = addresses
			c.mu.Unlock()
			return m, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	return Metadata{}, errors.Join(errs...)
}

// metadataTries is how many brokers are asked, each for opinionLimit: one that
// hangs is still connected, and Any does not know.
const metadataTries = 3

func (c *Client) askAny(ctx context.Context, topics []string) (Metadata, map[int32]string, error) {
	conn, err := c.Any(ctx)
	if err != nil {
		return Metadata{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, opinionLimit)
	defer cancel()
	return conn.metadata(ctx, topics)
}

// MetadataFrom asks one broker; unlike Metadata it changes nothing that the
// client knows.
func (c *Client) MetadataFrom(ctx context.Context, broker int32, topics []string) (Metadata, error) {
	conn, err := c.Broker(ctx, broker, control)
	if err != nil {
		return Metadata{}, err
	}
	m, _, err := conn.metadata(ctx, topics)
	return m, err
}

func (c *Conn) metadata(ctx context.Context, topics []string) (Metadata, map[int32]string, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	req.AllowAutoTopicCreation = false
	resp, err := c.Request(ctx, req)
	if err != nil {
		return Metadata{}, nil, err
	}
	answer := resp.(*kmsg.MetadataResponse)
	m := Metadata{From: c.Broker, Topics: map[string]Topic{}}
	if answer.ClusterID != nil {
		m.ClusterID = *answer.ClusterID
	}
	addresses := map[int32]string{}
	for _, b := range answer.Brokers {
		m.Brokers = append(m.Brokers, b.NodeID)
		addresses[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	for _, t := range answer.Topics {
		if t.Topic == nil {
			continue
		}
		topic, err := leaders(t)
		if err != nil {
			return Metadata{}, nil, &AnswerError{Address: c.Address, Request: "Metadata", Cause: err}
		}
		m.Topics[*t.Topic] = topic
	}
	return m, addresses, nil
}

func leaders(t kmsg.MetadataResponseTopic) (Topic, error) {
	topic := Topic{ID: t.TopicID, Err: Code(t.ErrorCode), Leaders: make([]Leader, len(t.Partitions))}
	for i := range topic.Leaders {
		topic.Leaders[i] = Leader{Broker: -1, Epoch: -1}
	}
	for _, p := range t.Partitions {
		if int(p.Partition) < 0 || int(p.Partition) >= len(topic.Leaders) {
			return topic, fmt.Errorf("topic %q has %d partitions and one with the number %d", *t.Topic, len(topic.Leaders), p.Partition)
		}
		if err := Code(p.ErrorCode); err != nil && !errors.Is(err, kerr.ReplicaNotAvailable) {
			continue // no leader now
		}
		topic.Leaders[p.Partition] = Leader{Broker: p.Leader, Epoch: p.LeaderEpoch}
	}
	return topic, nil
}
