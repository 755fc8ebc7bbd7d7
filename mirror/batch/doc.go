// Package batch works on Kafka's record batches as bytes: it reads them out of
// a fetch response, judges them, gives them the header that the mirror's
// producer needs, and merges, cuts and renumbers them where they may not be
// copied as they are. It does no I/O, and it builds no record objects.
//
// The formats are those of Apache Kafka's clients, package
// org.apache.kafka.common.record (4.3): magic 2 since 0.11 (KIP-98), magic 1
// since 0.10 (KIP-32), magic 0 before.
//
// The way of a batch:
//
//	Reader ─► Filter ─► Batch.Obstacle ─► none: Batch.Rewrite or Patcher.Rewrite
//	                                   └► else: Splicer.Open, Take, Finish
//
// Nothing here panics, whatever bytes it is given; memory is bounded by Limits.
package batch
