package embedded

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// beStrict makes brokers refuse the record batches that Apache Kafka 4.3
// refuses and kfake takes, with Kafka's codes (ProduceRequest.validateRecords,
// UnifiedLog.analyzeAndValidateRecords, LogValidator). What is refused leaves the
// other partitions of a request alone.
//
// It does not judge what needs the producer's state. There kfake differs: behind
// a sequence that wraps it wants one more than Kafka does, and as of its newest
// version it takes only sequence 0 into a partition that was never written to
// (KAFKA-15591), as Kafka will from 4.5 on.
func beStrict(fake *kfake.Cluster) {
	var before *kfake.FaultHandle
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if before != nil {
			before.Remove() // those that the last request did not come to
			before = nil
		}
		r, ok := req.(*kmsg.ProduceRequest)
		if !ok {
			return nil, nil, false
		}
		var faults []kfake.Fault
		for _, f := range judge(r, func(t kmsg.ProduceRequestTopic) (string, config) {
			info := fake.TopicInfo(t.Topic)
			if r.Version >= 13 {
				info = fake.TopicIDInfo(t.TopicID)
			}
			if info == nil {
				return t.Topic, nil
			}
			return info.Topic, info.Configs
		}) {
			faults = append(faults, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: f.topic, TopicID: f.id, Partitions: []int32{f.partition}, Err: f.err})
		}
		if len(faults) > 0 {
			before = fake.Fault(faults...)
		}
		return nil, nil, false
	})
}

// config is a topic's, as far as it was set.
type config map[string]*string

func (c config) text(name, otherwise string) string {
	if v := c[name]; v != nil {
		return *v
	}
	return otherwise
}

func (c config) number(name string, otherwise int64) int64 {
	n, err := strconv.ParseInt(c.text(name, ""), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// refused is a partition of a request and why Kafka refuses it.
type refused struct {
	topic     string
	id        [16]byte // from version 13 on, instead of the name
	partition int32
	err       *kerr.Error
}

// judge finds what of a request is refused.
func judge(r *kmsg.ProduceRequest, topic func(kmsg.ProduceRequestTopic) (string, config)) []refused {
	var all []refused
	transactional := false
	for i := range r.Topics {
		t := &r.Topics[i]
		name, conf := topic(*t)
		one := refused{topic: name}
		if r.Version >= 13 {
			one.topic, one.id = "", t.TopicID
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			one.partition, one.err = p.Partition, verdict(r.Version, conf, p.Records)
			if len(p.Records) >= headerSize {
				transactional = transactional || attributes(p.Records)&transactionalBit != 0
			}
			all = append(all, one)
		}
	}
	// One transactional batch without an id, and nothing of the request is done.
	bare := transactional && (r.TransactionID == nil || *r.TransactionID == "")
	n := 0
	for _, one := range all {
		if bare {
			one.err = kerr.TransactionalIDAuthorizationFailed
		}
		if one.err != nil {
			all[n] = one
			n++
		}
	}
	return all[:n]
}

// The header of a record batch (format 2).
const (
	headerSize       = 61
	logAppendBit     = 0x08
	transactionalBit = 0x10
	controlBit       = 0x20
)

func attributes(b []byte) uint16 { return binary.BigEndian.Uint16(b[21:]) }

// verdict says why Kafka refuses what was sent for one partition; nil: it does
// not. What Kafka puts right is put right in b.
func verdict(version int16, conf config, b []byte) *kerr.Error {
	if len(b) < headerSize || b[16] != 2 {
		return kerr.InvalidRecord
	}
	size := int64(binary.BigEndian.Uint32(b[8:])) + 12
	codec := attributes(b) & 7
	switch {
	case size < int64(len(b)): // a second batch
		return kerr.InvalidRecord
	case size > int64(len(b)):
		return kerr.CorruptMessage
	case codec == uint16(kgo.CodecZstd) && version < 7:
		return kerr.UnsupportedCompressionType
	case size > conf.number("max.message.bytes", 1048588):
		return kerr.MessageTooLarge
	case binary.BigEndian.Uint32(b[17:]) != crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)):
		return kerr.CorruptMessage
	case binary.BigEndian.Uint64(b) != 0:
		return kerr.InvalidRecord
	case codec > uint16(kgo.CodecZstd):
		return kerr.UnknownServerError
	}
	count, last := int32(binary.BigEndian.Uint32(b[57:])), int32(binary.BigEndian.Uint32(b[23:]))
	producer, sequence := int64(binary.BigEndian.Uint64(b[43:])), int32(binary.BigEndian.Uint32(b[53:]))
	appendTime := conf.text("message.timestamp.type", "CreateTime") == "LogAppendTime"
	switch {
	case count <= 0, last != count-1, attributes(b)&controlBit != 0, producer >= 0 && sequence < 0:
		return kerr.InvalidRecord
	case appendTime && attributes(b)&logAppendBit != 0:
		return kerr.InvalidTimestamp
	}
	if err := inside(conf, b, count, appendTime); err != nil {
		return err
	}
	if attributes(b)&logAppendBit != 0 {
		binary.BigEndian.PutUint16(b[21:], attributes(b)&^logAppendBit)
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	}
	return nil
}

// inside judges the records of a batch.
func inside(conf config, b []byte, count int32, appendTime bool) *kerr.Error {
	codec := kgo.CompressionCodecType(attributes(b) & 7)
	records, err := kgo.DefaultDecompressor().Decompress(b[headerSize:], codec)
	if err != nil {
		return kerr.UnknownServerError
	}
	base := int64(binary.BigEndian.Uint64(b[27:]))
	compacted := strings.Contains(conf.text("cleanup.policy", "delete"), "compact")
	ahead := conf.number("message.timestamp.after.max.ms", time.Hour.Milliseconds())
	behind := conf.number("message.timestamp.before.max.ms", math.MaxInt64)
	now := time.Now().UnixMilli()
	for i := range count {
		length, n := binary.Varint(records)
		if n <= 0 || length < 0 || length > int64(len(records)-n) {
			return kerr.InvalidRecord
		}
		var r kmsg.Record
		if r.ReadFrom(records[:n+int(length)]) != nil || len(r.AppendTo(nil)) != n+int(length) {
			return kerr.InvalidRecord
		}
		records = records[n+int(length):]
		if codec != kgo.CodecNone && r.OffsetDelta != i {
			return kerr.UnknownServerError // it puts the batch together anew, and cannot
		}
		if compacted && r.Key == nil {
			return kerr.InvalidRecord
		}
		at := base + r.TimestampDelta64
		if !appendTime && (at-now > ahead || now-at > behind && at >= 0) {
			return kerr.InvalidTimestamp
		}
	}
	if len(records) > 0 {
		return kerr.InvalidRecord
	}
	return nil
}
