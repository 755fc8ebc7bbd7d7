package mirror

import (
	"fmt"

	"kplan/mirror/wire"
)

// GapError says that the source has no longer, or not yet, what is to be read
// next: its retention has overtaken the copy, its log was truncated, or the
// topic was made anew.
type GapError struct {
	Partition wire.Partition
	Next      int64 // the source offset to read
	LogStart  int64 // -1: not told
}

func (e *GapError) Error() string {
	text := fmt.Sprintf("%s[%d]: the source does not have offset %d, which is next to be copied", e.Partition.Topic, e.Partition.Number, e.Next)
	if e.LogStart > e.Next {
		return fmt.Sprintf("%s: its log starts at %d. Retention deleted records before they were copied; raise retention.ms of the source's topic and copy it anew, or accept the loss by name", text, e.LogStart)
	}
	return text + ": its log ends before. It was truncated, or the topic was deleted and created again; find out which before anything is copied"
}

// TruncatedError says that a log has lost records that were there.
type TruncatedError struct {
	Partition wire.Partition
	Side      string
	Offset    int64 // from here on the log is another one
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("%s[%d]: the %s's log was truncated at offset %d after it was read (an unclean leader election, or a disk that was lost): what was copied behind it is not there any more", e.Partition.Topic, e.Partition.Number, e.Side, e.Offset)
}

// StrangerError says that somebody else writes to the target (R14).
type StrangerError struct {
	Partition  wire.Partition
	Offset     int64 // the first of the stranger's, as far as is known
	ProducerID int64 // -1: not idempotent, or not known
	Planned    int64 // the log end that the copy would have made
}

func (e *StrangerError) Error() string {
	text := fmt.Sprintf("%s[%d]: the target's log goes beyond offset %d, where the copy ends: somebody else writes there (R14)", e.Partition.Topic, e.Partition.Number, e.Planned)
	if e.ProducerID >= 0 {
		text += fmt.Sprintf(", at offset %d with producer id %d", e.Offset, e.ProducerID)
	}
	return text + ". Stop it, and deny it to write; the partition has to be copied anew, or goes on as a translated one"
}

// LostError says that the target lacks records that it has acknowledged.
type LostError struct {
	Partition wire.Partition
	LogEnd    int64
	Least     int64
}

func (e *LostError) Error() string {
	return fmt.Sprintf("%s[%d]: the target's log ends at %d, before the offset %d where the copy began: the topic was deleted, or made anew. Look at it, then copy it anew", e.Partition.Topic, e.Partition.Number, e.LogEnd, e.Least)
}
