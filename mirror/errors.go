package mirror

import (
	"errors"
	"fmt"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// GapError says that the source has no longer, or not yet, what is to be read
// next: its retention has overtaken the copy, or its log was truncated.
type GapError struct {
	Partition wire.Partition
	Next      int64 // the source offset to read
	LogStart  int64
	LogEnd    int64
}

func (e *GapError) Error() string {
	text := fmt.Sprintf("%s[%d]: the source does not have offset %d, which is next to be copied", e.Partition.Topic, e.Partition.Number, e.Next)
	if e.LogStart > e.Next {
		return fmt.Sprintf("%s: its log starts at %d. Retention deleted records before they were copied; raise retention.ms of the source's topic and copy it anew, or accept the loss by name", text, e.LogStart)
	}
	return fmt.Sprintf("%s: its log ends at %d", text, e.LogEnd) + ". It was truncated, or the topic was deleted and created again; find out which before anything is copied"
}

// TruncatedError says that a log has lost records that were there, whatever it
// has by now in their place.
type TruncatedError struct {
	Partition wire.Partition
	Side      string
	Offset    int64 // from here on the log is another one; -1: nobody knows
	Epoch     int32 // the leader epoch of the last record that was read
	Read      int64 // up to where it was read
}

func (e *TruncatedError) Error() string {
	where := "somewhere"
	if e.Offset >= 0 {
		where = fmt.Sprintf("at offset %d", e.Offset)
	}
	return fmt.Sprintf("%s[%d]: the %s's log was truncated %s after it was read up to %d under leader epoch %d (an unclean leader election, a disk that was lost, or a topic made anew): the target has records that the source has no longer. Compare both; to copy the topic as it is now delete it on the target, let kplan apply make it again, and begin anew with kplan mirror --anew %s",
		e.Partition.Topic, e.Partition.Number, e.Side, where, e.Read, e.Epoch, e.Partition.Topic)
}

// UnreadableError says that what was kept of a partition's copy cannot be read:
// it is damaged, or a newer kplan wrote it.
type UnreadableError struct {
	Partition wire.Partition
	Cause     error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%s[%d]: what was kept of its copy cannot be read: %v. Where a newer kplan wrote it, go on with that one. Else the topic has to be copied anew: delete it on the target, let kplan apply make it again, and begin anew with kplan mirror --anew %s",
		e.Partition.Topic, e.Partition.Number, e.Cause, e.Partition.Topic)
}

func (e *UnreadableError) Unwrap() error { return e.Cause }

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
	return fmt.Sprintf("%s[%d]: the target's log ends at %d, before the offset %d where the offset map begins: the topic was deleted, or made anew, or has lost nearly all. Look at it, then copy it anew", e.Partition.Topic, e.Partition.Number, e.LogEnd, e.Least)
}

// RecreatedError says that a topic is not the one whose copy was begun.
type RecreatedError struct {
	Partition wire.Partition
	Side      string // source or target
	Was, Is   wire.TopicID
}

func (e *RecreatedError) Error() string {
	return fmt.Sprintf("%s[%d]: on the %s the topic was deleted and created again (its id was %s and is %s): offsets of the old one mean nothing in it. Copy it anew, or leave it out", e.Partition.Topic, e.Partition.Number, e.Side, e.Was, e.Is)
}

// UnmappedError says that nobody knows which records of a compacted source some
// records of the target are.
type UnmappedError struct {
	Partition wire.Partition
	MapEnd    int64
	LogEnd    int64
	Coarse    bool // the map is coarse there, see Map.Coarsen
}

func (e *UnmappedError) Error() string {
	if e.Coarse {
		return fmt.Sprintf("%s[%d]: the target's log ends at %d, and had acknowledged more: records are lost there, as by an unclean election. From %d on the offset map does not tell any more which of the source they were, since every group had read them; the source is compacted, so they cannot be found again by reading. Copy the partition anew", e.Partition.Topic, e.Partition.Number, e.LogEnd, e.MapEnd)
	}
	return fmt.Sprintf("%s[%d]: the target's log ends at %d, and the offset map at %d: another mirror has sent what is between, or the newest map was lost. The source is compacted, so it cannot be found again by reading; end the other mirror and copy the partition anew", e.Partition.Topic, e.Partition.Number, e.LogEnd, e.MapEnd)
}

// RefusedError says that the target will not take some records, however often
// they are sent.
type RefusedError struct {
	Partition wire.Partition
	Source    int64 // offset of the first of them
	Records   int64
	Size      int // bytes of their batch
	Cause     error
}

func (e *RefusedError) Error() string {
	what := fmt.Sprintf("the record at source offset %d", e.Source)
	if e.Records > 1 {
		what = fmt.Sprintf("the %d records from source offset %d on", e.Records, e.Source)
	}
	text := fmt.Sprintf("%s[%d]: the target refuses %s (a batch of %d bytes): %v", e.Partition.Topic, e.Partition.Number, what, e.Size, e.Cause)
	if wire.TooLarge(e.Cause) {
		return text + fmt.Sprintf(". Say in the plan what the target's topic is to take, and apply: topics { topic %q { config = { \"max.message.bytes\" = %d } } }, and \"segment.bytes\" where that is smaller. What is set by hand there the next apply gives back", e.Partition.Topic, roundedUp(e.Size))
	}
	return text + ". Compare the configs of the topic on both sides; while it is copied it needs cleanup.policy=delete and message.timestamp.type=CreateTime, which kplan apply sets"
}

func (e *RefusedError) Unwrap() error { return e.Cause }

// roundedUp is a limit in whole KiB that a batch of so many bytes has room in.
func roundedUp(size int) int { return (size/1024 + 1) * 1024 }

// SequenceError says that the target's broker expects other sequences than its
// log's end tells.
type SequenceError struct {
	Partition wire.Partition
	Offset    int64 // the log end at which all were refused
	Cause     error
}

func (e *SequenceError) Error() string {
	return fmt.Sprintf("%s[%d]: the target refuses the sequence that belongs to its log end %d, again and again: %v. Its log has markers, or records of an earlier phase, that the copy does not know of; the partition has to be copied anew", e.Partition.Topic, e.Partition.Number, e.Offset, e.Cause)
}

func (e *SequenceError) Unwrap() error { return e.Cause }

// ofPartition reports whether an error is about one partition and will not pass.
func ofPartition(err error) bool {
	var stranger *StrangerError
	var damaged *batch.DamageError
	var gap *GapError
	var truncated *TruncatedError
	return errors.As(err, &stranger) || misplaced(err) || errors.As(err, &damaged) ||
		errors.As(err, &gap) || errors.As(err, &truncated) || errors.As(err, new(*SurplusError))
}

func misplaced(err error) bool {
	var e *batch.MisplacedError
	return errors.As(err, &e)
}

// SurplusError says that the target holds more of our records than the source
// has to tell for.
type SurplusError struct {
	Target int64 // the first that is too much
}

func (e *SurplusError) Error() string {
	return fmt.Sprintf("the record at target offset %d was copied from a source record that is not there any more: the source was truncated or compacted, or its retention overtook the copy. The offset map cannot be rebuilt from the logs; copy the partition again, or restore the saved map", e.Target)
}
