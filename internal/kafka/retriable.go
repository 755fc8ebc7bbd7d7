package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
	"kplan/mirror/wire"
)

// retriableCodes are the errors that Apache Kafka itself tells its clients to try
// again: those of org.apache.kafka.common.protocol.Errors whose exception is a
// RetriableException, in 4.3.0, all of them and no others.
func retriableCodes() map[sarama.KError]bool {
	codes := map[sarama.KError]bool{}
	for _, code := range []sarama.KError{
		2,   // CORRUPT_MESSAGE
		3,   // UNKNOWN_TOPIC_OR_PARTITION: just created, and not every broker has heard of it
		5,   // LEADER_NOT_AVAILABLE
		6,   // NOT_LEADER_OR_FOLLOWER
		7,   // REQUEST_TIMED_OUT
		9,   // REPLICA_NOT_AVAILABLE
		13,  // NETWORK_EXCEPTION
		14,  // COORDINATOR_LOAD_IN_PROGRESS
		15,  // COORDINATOR_NOT_AVAILABLE
		16,  // NOT_COORDINATOR
		19,  // NOT_ENOUGH_REPLICAS
		20,  // NOT_ENOUGH_REPLICAS_AFTER_APPEND
		41,  // NOT_CONTROLLER
		51,  // CONCURRENT_TRANSACTIONS
		56,  // KAFKA_STORAGE_ERROR
		70,  // FETCH_SESSION_ID_NOT_FOUND
		71,  // INVALID_FETCH_SESSION_EPOCH
		72,  // LISTENER_NOT_FOUND
		74,  // FENCED_LEADER_EPOCH
		75,  // UNKNOWN_LEADER_EPOCH
		78,  // OFFSET_NOT_AVAILABLE
		80,  // PREFERRED_LEADER_NOT_AVAILABLE
		83,  // ELIGIBLE_LEADERS_NOT_AVAILABLE
		84,  // ELECTION_NOT_NEEDED
		88,  // UNSTABLE_OFFSET_COMMIT
		89,  // THROTTLING_QUOTA_EXCEEDED
		100, // UNKNOWN_TOPIC_ID
		103, // INCONSISTENT_TOPIC_ID
		106, // FETCH_SESSION_TOPIC_ID_ERROR
		122, // SHARE_SESSION_NOT_FOUND
		123, // INVALID_SHARE_SESSION_EPOCH
		133, // SHARE_SESSION_LIMIT_REACHED
	} {
		codes[code] = true
	}
	return codes
}

// retriable reports whether the cluster said "not now".
func retriable(err error) bool {
	if errors.Is(err, errLeaderMoved) || errors.Is(err, cluster.ErrBehind) {
		return true
	}
	var kerr sarama.KError
	return errors.As(err, &kerr) && retriableCodes()[kerr]
}

// disconnected reports whether the error is that of a connection, so that
// nothing is known about the question.
func disconnected(err error) bool {
	var network net.Error
	var operation *net.OpError
	var unknown *wire.UnknownBrokerError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &network) || errors.As(err, &operation) || errors.As(err, &unknown) || errors.Is(err, net.ErrClosed) || wire.Lost(err) ||
		errors.Is(err, sarama.ErrOutOfBrokers) || errors.Is(err, sarama.ErrNotConnected) || errors.Is(err, sarama.ErrBrokerNotAvailable)
}

// hungUp reports whether a broker closed a connection that had just been opened.
// The client library gives the reasons of several addresses as text.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, sarama.ErrOutOfBrokers) && strings.Contains(err.Error(), "EOF")
}
