// Package kafkatest runs real Apache Kafka brokers for tests: 4.3.0 in KRaft
// mode and 2.8.2 with ZooKeeper, from Maven artifacts that a pom in this folder
// pins. Only tests import it.
//
// It refuses to know kplan: no plans, no steps, none of kplan's Kafka clients.
// It speaks to its brokers through franz-go, so that a fault in kplan's own
// client cannot hide behind the same fault here.
//
// Invariants:
//   - Nothing is skipped. Missing Java, Maven, jars or a broker of another
//     version than was asked for fail the test, with the one command to type
//     where a person can help.
//   - What a broker is, is asked over the wire and logged.
//   - Brokers die with the test process, however that ends (see spawner).
//   - A run of several packages has one set of brokers (Keeper), and tests with
//     brokers of their own take turns. Every test with real brokers has
//     RealBrokers in its name.
//   - Limits are for what hangs: a busy machine takes minutes for a start.
//   - Ready means that the protocol says so on every listener; nothing sleeps
//     and hopes.
//   - A broker's data lies in memory where the machine offers that (/dev/shm),
//     and what a killed test left there is removed by the next one.
package kafkatest
