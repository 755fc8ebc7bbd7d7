// Package scratch finds out what can only be learnt by writing: whether a
// cluster bears the mirror's techniques (R22), and how much it takes. It writes
// to topics that it creates itself and deletes again, and to nothing else (R20).
//
// The topics are called _kplan.conformance.RANDOM and _kplan.load.RANDOM. No
// pattern of a plan selects what begins with _kplan., and no migration's state
// has a name with a second dot. A consumer that subscribes to a pattern which
// matches everything may see one of them, for the seconds that it lives; what is
// in it are a few records of its own making.
//
// It speaks Kafka's protocol through franz-go's codecs and SASL mechanisms,
// which are those of the data path: sarama carries neither prepared batches nor
// transaction markers.
package scratch
