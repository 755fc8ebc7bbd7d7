package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrClosed says that the connection was closed by this side.
var ErrClosed = errors.New("the connection is closed")

// BrokenError says that a connection ended. What was under way on it may or may
// not have been carried out.
type BrokenError struct {
	Address string
	Cause   error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the connection to broker %s broke: %v", e.Address, e.Cause)
}

func (e *BrokenError) Unwrap() error { return e.Cause }

// UnsupportedError says that a broker does not speak a request in any version
// that kplan does.
type UnsupportedError struct {
	Address string
	Request string
	Least   int16 // the lowest version that kplan speaks
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("broker %s does not speak %s version %d or later: it is too old for the mirror, or no Kafka broker", e.Address, e.Request, e.Least)
}

// AnswerError says that a broker answered what the protocol does not allow.
type AnswerError struct {
	Address string
	Request string
	Cause   error
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("broker %s answers %s in a way that cannot be read: %v", e.Address, e.Request, e.Cause)
}

func (e *AnswerError) Unwrap() error { return e.Cause }

// Code returns Kafka's error for a code, nil for 0. Kafka's errors are compared
// with errors.Is to those of franz-go's kerr.
func Code(code int16) error { return kerr.ErrorForCode(code) }

// The answers that decide how a copy goes on. Others are Retriable or final.
var (
	ErrOffsetOutOfRange = error(kerr.OffsetOutOfRange)         // the log does not have the offset that was asked for
	ErrSuperseded       = error(kerr.InvalidProducerEpoch)     // a later epoch of the producer has written
	ErrSequence         = error(kerr.OutOfOrderSequenceNumber) // the broker has seen other sequences of the producer than it is sent
)

// TooLarge reports whether a broker refuses a batch for its size.
func TooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// UnderReplicated reports whether a partition takes no records because it has
// fewer replicas in sync than min.insync.replicas, or does not show those that
// it has taken for that reason.
func UnderReplicated(err error) bool {
	var unsettled *UnsettledError
	return errors.Is(err, kerr.NotEnoughReplicas) || errors.Is(err, kerr.NotEnoughReplicasAfterAppend) ||
		errors.As(err, &unsettled) && unsettled.Behind
}

// Lost reports whether what was sent may still arrive, since its connection
// ended before the answer came.
func Lost(err error) bool {
	var broken *BrokenError
	return errors.As(err, &broken) || errors.Is(err, ErrClosed)
}

// Retriable reports whether the log end and another try can help: after a broken
// connection, an answer that Kafka calls retriable, and one about the sequence;
// and where people can help without a word to kplan: rights that were taken
// away and are given again, a policy, a broker's trouble of its own.
func Retriable(err error) bool {
	var known *kerr.Error
	if !errors.As(err, &known) {
		return true // the connection
	}
	return known.Retriable || slices.Contains(passing(), known)
}

func passing() []*kerr.Error {
	return []*kerr.Error{
		kerr.OutOfOrderSequenceNumber, kerr.DuplicateSequenceNumber, kerr.UnknownProducerID,
		kerr.TopicAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.SaslAuthenticationFailed,
		kerr.PolicyViolation, kerr.UnknownServerError,
	}
}

// LoginError says that a broker refused the credentials.
type LoginError struct {
	Address   string
	Mechanism string
	Cause     error
}

func (e *LoginError) Error() string {
	return fmt.Sprintf("logging in to broker %s by %s: %v. Check username and password, and whether the listener takes this mechanism", e.Address, e.Mechanism, e.Cause)
}

func (e *LoginError) Unwrap() error { return e.Cause }

// Number returns Kafka's number of the error that a broker answered with; false
// where it is no answer of a broker.
func Number(err error) (int16, bool) {
	var known *kerr.Error
	if !errors.As(err, &known) {
		return 0, false
	}
	return known.Code, true
}
