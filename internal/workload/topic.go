package workload

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// Topic is a topic that the services need.
type Topic struct {
	Name       string
	Partitions int
	Replicas   int
	Configs    map[string]string
}

// CreateTopics creates topics with the services' own connection. dir is the
// work directory, to which the connection's files are relative.
func CreateTopics(dir string, c Connection, topics []Topic) (err error) {
	conf, err := c.config(dir, "setup")
	if err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin(c.Bootstrap, conf)
	if err != nil {
		return fmt.Errorf("connecting to %v: %w", c.Bootstrap, err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	for _, t := range topics {
		detail := &sarama.TopicDetail{
			NumPartitions: int32(t.Partitions), ReplicationFactor: int16(t.Replicas), ConfigEntries: map[string]*string{},
		}
		for k, v := range t.Configs {
			detail.ConfigEntries[k] = &v
		}
		if err := admin.CreateTopic(t.Name, detail, false); err != nil {
			return fmt.Errorf("creating topic %q: %w", t.Name, err)
		}
	}
	return nil
}
