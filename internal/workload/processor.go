package workload

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// process writes one record per input and output topic and returns when all of
// them are acknowledged. The output's sequence is the input's, so that the
// output of an ordered input is ordered. Records that do not hold together are
// not passed on.
func (r *reading) process(inputs []entry) error {
	messages := make([]*sarama.ProducerMessage, 0, len(inputs)*len(r.svc.Produces))
	for _, in := range inputs {
		if !in.good {
			continue
		}
		key := outputKey(r.svc.Name, len(r.svc.Consumes), in.topic, in.key)
		for _, topic := range r.svc.Produces {
			value, err := encode(topic, key, in.seq, time.Now(), r.svc.ValueBytes)
			if err != nil {
				return err
			}
			messages = append(messages, &sarama.ProducerMessage{
				Topic: topic, Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(value),
				Metadata: tag{key: key, seq: in.seq},
			})
		}
	}
	failed := map[*sarama.ProducerMessage]bool{}
	err := r.out.SendMessages(messages)
	if err != nil {
		var each sarama.ProducerErrors
		if !errors.As(err, &each) {
			return fmt.Errorf("writing the output: %w", err)
		}
		for _, e := range each {
			failed[e.Msg] = true
		}
		// Text with the first cause, for sarama's own only counts.
		err = fmt.Errorf("writing the output: %d of %d records refused: %w", len(each), len(messages), each[0].Err)
	}
	now := time.Now().UnixNano()
	outputs := make([]entry, 0, len(messages))
	for _, m := range messages {
		t, ok := m.Metadata.(tag)
		if !ok {
			return fmt.Errorf("a message of topic %q came back without its tag", m.Topic)
		}
		d := acknowledged
		if failed[m] {
			d = refused
		}
		outputs = append(outputs, entry{
			deed: d, at: now, topic: m.Topic, partition: m.Partition, offset: m.Offset,
			key: t.key, seq: t.seq, good: true,
		})
	}
	return errors.Join(err, r.ledger.append(outputs...))
}
