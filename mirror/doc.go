// Package mirror copies the records of partitions from one cluster to another
// as the batches they are in, each once and in order, and knows for every
// record where it is on the other side.
//
// A Copier reads the source with mirror/wire, gives each committed batch the
// header that the mirror's producer needs (mirror/batch), and writes it. It uses
// no transactions: its producer id is the same for good, and the sequence of a
// record follows from its target offset, so that the broker's own duplicate
// check is a compare-and-append (R24). After every doubt (a start, a broken
// connection, a refusal) the partition goes on from the target's true log end
// (R5), through the Map.
//
// A Map is exact: every position that a group has committed on one side has one
// position on the other (R9), after gaps on either side, after cuts, and after
// it has been rebuilt from the headers of the two logs.
//
// A partition that cannot go on is stopped with a reason; the others do.
package mirror
