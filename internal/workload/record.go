package workload

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// record is what a value carries: enough to notice that it was lost, repeated,
// moved to another topic or changed.
type record struct {
	Key  string `json:"key"`
	Seq  int64  `json:"seq"` // from 1, without gaps, per topic and key
	At   int64  `json:"at"`  // when it was made, unix nanoseconds
	Pad  string `json:"pad,omitempty"`
	Sum  string `json:"sum"` // over topic and all the above
	good bool
}

// sum covers the topic, so that a record copied into the wrong one shows.
func (r record) sum(topic string) string {
	text := strings.Join([]string{topic, r.Key, strconv.FormatInt(r.Seq, 10), strconv.FormatInt(r.At, 10), r.Pad}, "\x00")
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

func encode(topic, key string, seq int64, now time.Time, size int) ([]byte, error) {
	r := record{Key: key, Seq: seq, At: now.UnixNano()}
	const envelope = 70 // what the other fields take, about
	if pad := size - envelope - len(key); pad > 0 {
		r.Pad = strings.Repeat("x", pad)
	}
	r.Sum = r.sum(topic)
	value, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding a record of key %q: %w", key, err)
	}
	return value, nil
}

// decode reads a record of topic. One that does not hold together comes back
// with good false, under the key that Kafka carried.
func decode(topic string, key, value []byte) record {
	var r record
	if err := json.Unmarshal(value, &r); err != nil || r.Seq < 1 || r.Key != string(key) || r.Sum != r.sum(topic) {
		return record{Key: string(key), Seq: r.Seq}
	}
	r.good = true
	return r
}

// outputKey names what a processor makes of a record. It holds where the record
// came from, for two processors may write one topic, and one processor may read
// two topics that have the same keys.
func outputKey(service string, inputs int, topic, key string) string {
	if inputs > 1 {
		return service + "/" + topic + "/" + key
	}
	return service + "/" + key
}
