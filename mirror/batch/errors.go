package batch

import "fmt"

// Fault says what is wrong with bytes that a broker sent.
type Fault int

// The faults.
const (
	BadLength      Fault = iota + 1 // a length that no batch can have
	BadMagic                        // a record format that Kafka does not have
	BadCRC                          // the bytes are not those that were written
	BadHeader                       // members of the header contradict each other
	BadOrder                        // offsets do not grow
	BadCompression                  // the compressed records cannot be unpacked
	BadRecords                      // the records are not what the header says
)

func (f Fault) String() string {
	switch f {
	case BadLength:
		return "bad length"
	case BadMagic:
		return "bad magic"
	case BadCRC:
		return "bad checksum"
	case BadHeader:
		return "bad header"
	case BadOrder:
		return "bad order"
	case BadCompression:
		return "bad compression"
	case BadRecords:
		return "bad records"
	default:
		return "no fault"
	}
}

// DamageError says that a batch is damaged. It is never copied: a new checksum
// over it would make the damage look whole.
type DamageError struct {
	Fault  Fault
	Offset int64 // the first offset that the batch claims
	At     int   // where it begins in the bytes that were read, -1 when not known
	Detail string
	Cause  error // of the codec, nil elsewhere
}

func (e *DamageError) Error() string {
	text := fmt.Sprintf("the batch at offset %d is damaged (%s): %s", e.Offset, e.Fault, e.Detail)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text + ". It is not copied; another replica may hold it whole: make that one leader, or delete the records up to here"
}

func (e *DamageError) Unwrap() error { return e.Cause }

// TooLargeError says that a batch is beyond a limit and cannot be cut smaller.
type TooLargeError struct {
	Offset int64  // the first source offset
	What   string // what is too large
	Size   int    // bytes; where the whole was not read, the part that was
	Limit  int    // bytes
	Remedy string
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s at source offset %d has %d bytes or more, and the limit is %d: %s", e.What, e.Offset, e.Size, e.Limit, e.Remedy)
}

// UnfitError says that a batch cannot be copied in the way that was asked for.
type UnfitError struct {
	Offset   int64
	Obstacle Obstacle
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("the batch at offset %d cannot be copied this way, because %s: brokers would refuse it or change its records. This is a bug in kplan", e.Offset, e.Obstacle)
}
