package scratch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteLimit bounds the removal, which goes on after an interrupt.
const deleteLimit = 20 * time.Second

// topic is one that was created here.
type topic struct {
	client  *kgo.Client
	name    string
	id      [16]byte
	leaders []int32 // of the partitions

	replicas int // of each partition
}

// create makes a topic with a name of its own, and waits until its partitions
// have leaders. replicas -1: the brokers' default. The error comes with a topic
// where there may be one, which the caller has to remove.
func create(ctx context.Context, client *kgo.Client, kind string, partitions int32, replicas int16) (*topic, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("drawing a name: %w", err)
	}
	t := &topic{client: client, name: "_kplan." + kind + "." + hex.EncodeToString(random[:])}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(requestLimit.Milliseconds())
	asked := kmsg.NewCreateTopicsRequestTopic()
	asked.Topic, asked.NumPartitions, asked.ReplicationFactor = t.name, partitions, replicas
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return t, fmt.Errorf("creating the scratch topic %s: %w", t.name, err)
	}
	for _, answer := range resp.Topics {
		if err := codeError(answer.ErrorCode); err != nil {
			if answer.ErrorMessage != nil && *answer.ErrorMessage != "" {
				err = fmt.Errorf("%w (%s)", err, *answer.ErrorMessage)
			}
			err = fmt.Errorf("creating the scratch topic %s: %w", t.name, err)
			if errors.Is(err, kerr.RequestTimedOut) || errors.Is(err, kerr.TopicAlreadyExists) {
				return t, err // nobody else has this name: it comes later, or came with a request whose answer was lost
			}
			return nil, err
		}
	}
	return t, t.await(ctx, int(partitions))
}

// await asks until every partition has a leader.
func (t *topic) await(ctx context.Context, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = t.look(ctx, partitions); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for leaders of the scratch topic %s: %w", t.name, last)
		case <-tick.C:
		}
	}
}

var errNoLeader = errors.New("a partition has no leader")

func (t *topic) look(ctx context.Context, partitions int) error {
	req := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &t.name
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, t.client)
	if err != nil {
		return err
	}
	leaders := make([]int32, partitions)
	found := 0
	for _, answer := range resp.Topics {
		if err := codeError(answer.ErrorCode); err != nil {
			return err
		}
		t.id = answer.TopicID
		for _, p := range answer.Partitions {
			if err := codeError(p.ErrorCode); err != nil || p.Leader < 0 || int(p.Partition) >= partitions {
				return errors.Join(err, errNoLeader)
			}
			leaders[p.Partition] = p.Leader
			t.replicas = len(p.Replicas)
			found++
		}
	}
	if found < partitions {
		return errNoLeader
	}
	t.leaders = leaders
	return nil
}

// remove deletes the topic, also when ctx has ended. It says why the topic is
// still there, or "".
func (t *topic) remove(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteLimit)
	defer cancel()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = int32(requestLimit.Milliseconds())
	req.TopicNames = []string{t.name}
	asked := kmsg.NewDeleteTopicsRequestTopic()
	asked.Topic = &t.name
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, t.client)
	if err != nil {
		return err.Error()
	}
	for _, answer := range resp.Topics {
		if err := codeError(answer.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return named(err)
		}
	}
	return ""
}
