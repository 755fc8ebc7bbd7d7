// Package state remembers what apply has done: a journal of records, the
// lock that keeps two kplans apart, and the inbox through which people answer.
//
// The journal is the only memory. Every other view (State) is a fold over its
// records, so that nothing can disagree with it. A record is durable before
// Append returns; the engine appends the intention before each effect.
//
// The package knows the shape of records and nothing of Kafka's protocol or of
// what a step means. Backend is what the engine sees; File and Kafka are two of
// them, held together by one conformance suite, and Move goes from one to the
// other.
//
// # A state on Kafka
//
// Kafka keeps everything in one log with one order for everybody: a compacted
// topic with one partition. What counts is decided by that order alone, so all
// readers agree, and nobody needs a clock in common.
//
//   - A claim names a new epoch and the epoch that it follows. It is valid if
//     that is the current one where it stands in the log: of two that follow
//     the same epoch the first wins, and of two who have waited for the same
//     holder the second does not end the lease of the first. Unlocking by hand is a claim without a
//     holder.
//   - Every record carries the epoch of its writer and counts only while that
//     is the current one where it stands. What a holder writes after its time,
//     however late it arrives, is void for everybody.
//   - A writer reads back past its own entry before it believes in it. What it
//     sent twice, because an answer was lost, is folded once: a producer id
//     would not outlive the process, the number of a record does.
//   - The holder's lease lasts until the time just before its last confirmed
//     heartbeat was sent, plus the TTL, less a fifth, on a clock that counts
//     suspended time (R18). Check compares it with that clock.
//   - Others count the TTL from when they saw the last sign of life. They see it
//     later than it was sent, so their wait ends later than the lease, whatever
//     the offset between the clocks; the fifth covers rates and the time
//     between Check and the effect.
//
// Four things are less obvious.
//
// A heartbeat may come into the log between the last look of the next holder
// and its claim. Its sender reads back, finds no claim before it, and goes on
// for a whole lease. So after its claim the next holder reads on, and waits
// again for any sign of life that it had not seen. It then says so in its first
// heartbeat (Seated): a third one that finds it dead must wait for those
// before it only if it had not come so far. The same wait makes Unlock safe: it
// ends the lease, but not before it runs out, unless the holder notices and
// says good-bye.
//
// Compaction removes an entry when a later one has the same key, also when the
// later one is void. A claim that lost, or a request that was delayed in some
// buffer and arrives in the next epoch, would take the valid one away. So every
// entry gets a key of its own with each try, all but heartbeats; and inbox
// entries vanish by tombstones, which only the holder writes, after the journal
// has what became of the request.
//
// A try whose fate is unknown, and that the holder stops repeating, may be in
// the log or come later. Nothing may follow it under the same number, so the
// session writes nothing any more.
//
// A request that was sent twice may arrive a second time after it was cleared.
// It has the same id: the journal's answer says that it is dealt with.
//
// What is not covered: an effect that begins within the lease may go on beyond
// it. Whoever starts long effects bounds them, or is fenced by the brokers
// (R18).
package state
