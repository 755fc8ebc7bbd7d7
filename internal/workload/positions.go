package workload

import (
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// commitLimit bounds how long the last commit of a session is tried.
const commitLimit = 10 * time.Second

// positions keeps what a session marked, and holds the broker to it: sarama's
// commits report their errors nowhere.
type positions struct {
	group  string
	client sarama.Client
	admin  sarama.ClusterAdmin

	mu     sync.Mutex
	marked map[cluster.TopicPartition]int64
}

// begin forgets the session before. With eager it gives every partition without
// a commit its place at the log's end now, which the session then starts from
// and commits.
func (p *positions) begin(session sarama.ConsumerGroupSession, eager bool) error {
	p.mu.Lock()
	p.marked = map[cluster.TopicPartition]int64{}
	p.mu.Unlock()
	if !eager {
		return nil
	}
	claims := session.Claims()
	if len(claims) == 0 {
		return nil
	}
	committed, err := p.committed(claims)
	if err != nil {
		return err
	}
	for topic, partitions := range claims {
		for _, partition := range partitions {
			if committed[cluster.TopicPartition{Topic: topic, Partition: partition}] >= 0 {
				continue
			}
			end, err := p.client.GetOffset(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return fmt.Errorf("reading the end of %s/%d: %w", topic, partition, err)
			}
			p.mark(session, topic, partition, end)
		}
	}
	return nil
}

func (p *positions) mark(session sarama.ConsumerGroupSession, topic string, partition int32, next int64) {
	session.MarkOffset(topic, partition, next, "")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marked[cluster.TopicPartition{Topic: topic, Partition: partition}] = next
}

// commit commits all that was marked and returns when the broker says the same,
// or with an error after commitLimit.
func (p *positions) commit(session sarama.ConsumerGroupSession) error {
	p.mu.Lock()
	marked := p.marked
	p.mu.Unlock()
	if len(marked) == 0 {
		return nil
	}
	claims := map[string][]int32{}
	for tp := range marked {
		claims[tp.Topic] = append(claims[tp.Topic], tp.Partition)
	}
	limit := time.After(commitLimit)
	for {
		session.Commit()
		committed, err := p.committed(claims)
		if err == nil {
			err = compare(marked, committed)
		}
		if err == nil {
			return nil
		}
		select {
		case <-limit:
			return fmt.Errorf("committing the last position of group %q: %w", p.group, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func compare(marked, committed map[cluster.TopicPartition]int64) error {
	for tp, want := range marked {
		if got := committed[tp]; got != want {
			return fmt.Errorf("%s/%d: handled up to %d, committed %d", tp.Topic, tp.Partition, want, got)
		}
	}
	return nil
}

// committed asks the broker; a partition without a commit has -1.
func (p *positions) committed(claims map[string][]int32) (map[cluster.TopicPartition]int64, error) {
	resp, err := p.admin.ListConsumerGroupOffsets(p.group, claims)
	if err != nil {
		return nil, fmt.Errorf("reading the positions of group %q: %w", p.group, err)
	}
	if resp.Err != sarama.ErrNoError {
		return nil, fmt.Errorf("reading the positions of group %q: %w", p.group, resp.Err)
	}
	out := map[cluster.TopicPartition]int64{}
	for topic, partitions := range claims {
		for _, partition := range partitions {
			block := resp.GetBlock(topic, partition)
			if block == nil {
				return nil, fmt.Errorf("reading the positions of group %q: no answer for %s/%d", p.group, topic, partition)
			}
			if block.Err != sarama.ErrNoError {
				return nil, fmt.Errorf("reading the positions of group %q: %s/%d: %w", p.group, topic, partition, block.Err)
			}
			out[cluster.TopicPartition{Topic: topic, Partition: partition}] = block.Offset
		}
	}
	return out, nil
}
