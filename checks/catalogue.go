package checks

import (
	"fmt"
	"strings"
	"time"

	"kplan/plan/diff"
)

// Entry documents one check; docs/checks.md is made of them.
type Entry struct {
	Name     string
	Asks     string            // the question
	Evidence string            // what it looks at, and how
	Verdicts map[string]string // verdict → when; pass is always one of them
	Rights   string            // what kplan's principal must be allowed to do
	Waivable bool
}

// The rights that several checks need, in the words of kafka-acls.
const (
	noRights       = "None: any client is told."
	describeTopics = "Describe and DescribeConfigs on the selected topics."
	describeGroups = "Describe on the cluster, on every group and on the selected topics."
	readTopics     = "Read on the selected topics of the source, Describe on the groups."
)

// Catalogue returns every check that kplan knows, by name.
func Catalogue() []Entry {
	all := append(append(connectEntries(), rightsEntries()...), capacityEntries()...)
	all = append(append(append(append(all, brokerEntries()...), accessEntries()...), fenceEntries()...), movingEntries()...)
	return append(append(all, conformanceEntries()...), loadEntries()...) // of probe, when asked
}

func connectEntries() []Entry {
	const metadata = "The cluster is asked for its brokers on each declared listener (the cluster's own and every listener block), and each broker is spoken to at the address that it advertises there, with that listener's TLS and credentials. An address of bootstrap that no broker advertises is asked as well. "
	return []Entry{
		{
			Name: NameConnect, Asks: "Does every broker answer at the address that it advertises?", Waivable: true, Rights: noRights,
			Evidence: metadata + "The name must resolve, the port be open, and a Kafka broker of the same cluster answer.",
			Verdicts: map[string]string{"pass": "it answers", "fail": "the name does not resolve, nothing answers, something else than Kafka does, or it belongs to another cluster"},
		},
		{
			Name: NameTLS, Asks: "Does a client trust each broker's certificate?", Waivable: true, Rights: noRights,
			Evidence: "As for " + NameConnect + ". The chain must lead to ca_file (or the system's roots), the names in the certificate hold the address's host (or server_name), the dates hold now; a client certificate, where the broker wants one, is accepted. What was presented is shown.",
			Verdicts: map[string]string{"pass": "the handshake succeeds", "fail": "it does not; also when one side speaks TLS and the other does not"},
		},
		{
			Name: NameExpiry, Asks: "Do the certificates last for the migration?", Waivable: true, Rights: noRights,
			Evidence: "As for " + NameConnect + ". The end of every certificate that the broker presents, and of the plan's cert_file.",
			Verdicts: map[string]string{"pass": fmt.Sprintf("all end in %d days or later", int(expiryNotice/(24*time.Hour))), "fail": "one ends sooner"},
		},
		{
			Name: NameSASL, Asks: "Does every broker take the plan's credentials?", Waivable: true, Rights: noRights,
			Evidence: "As for " + NameConnect + ". The SASL exchange with the listener's mechanism, username and password.",
			Verdicts: map[string]string{"pass": "the login works, or the listener wants none", "fail": "it is refused, or the listener wants a login and the plan has none"},
		},
	}
}

func capacityEntries() []Entry {
	return []Entry{
		{
			Name: NameCapacity, Asks: "Has the target as many brokers as the source?", Waivable: true, Rights: noRights,
			Evidence: "The brokers in both clusters' metadata.",
			Verdicts: map[string]string{"pass": "as many or more", "fail": "fewer"},
		},
		{
			Name: NameRacks, Asks: "Do the target's brokers span the racks that the plan asks for?", Waivable: true, Rights: noRights,
			Evidence: "broker.rack of every broker of the target, against capacity { racks } of its cluster block. Not asked without it.",
			Verdicts: map[string]string{"pass": "as many racks or more, and every broker has one", "fail": "fewer racks, or a broker without one"},
		},
		{
			Name: NameReplicas, Asks: "Do the replicas of every selected topic span the racks?", Waivable: true, Rights: noRights,
			Evidence: "Where the topic exists on the target, the brokers of each partition's replicas. Where kplan is to create it, the replication factor: Kafka spreads new replicas over the racks when every broker has one (" + NameRacks + "). Not asked without capacity { racks }.",
			Verdicts: map[string]string{"pass": "every partition's do", "fail": "a partition's do not, or a new topic is to have fewer replicas than racks"},
		},
		{
			Name: NameDisk, Asks: "Has the target room for the selected topics?", Waivable: true,
			Rights:   "Describe on the cluster, on both (DescribeLogDirs).",
			Evidence: fmt.Sprintf("Bytes of one replica of each selected topic on the source (the largest, for one that lags has less), plus what is written while the target's retention is held, times the replication factor on the target, times headroom (%v, or capacity { headroom }), less what is there already. What is written while retention is held is an estimate: a topic with a time limit holds about what was written in that time, so drain_timeout adds its share; a topic younger than its limit adds more. Against it stands the free space that the target's brokers tell (from 3.3, KIP-827): that of the broker with the least, times the brokers, for replicas are spread evenly; where the plan says capacity { disk_bytes }, that less what is used counts if it is smaller, or the brokers do not tell.", defaultHeadroom),
			Verdicts: map[string]string{"pass": "it is enough", "fail": "it is not", "unknown": "the sizes or the free space are not told, and the plan declares none"},
		},
		{
			Name: NameLogs, Asks: "Do the target's brokers hold a reasonable number of partitions?", Waivable: true,
			Rights:   "Describe on the topics of the target; those that kplan may not see are not counted.",
			Evidence: fmt.Sprintf("The replicas on the fullest broker, and its share of those that kplan is to create, against %d.", partitionsPerBroker),
			Verdicts: map[string]string{"pass": "not more", "unknown": "more: whether the brokers bear it is not known"},
		},
		{
			Name: NameMessages, Asks: "Does the target take batches as large as the source does?", Waivable: true,
			Rights:   describeTopics + " DescribeConfigs on the target's cluster where it has no topics yet.",
			Evidence: "max.message.bytes of each selected topic on the source, whatever sets it, against what it will be on the target: the plan's or the source's own setting, else the topic's, else message.max.bytes of the brokers; and socket.request.max.bytes of the target's brokers. What is set on a topic of the target itself is judged by " + NameParity + ". A smaller replica.fetch.max.bytes is no limit (KIP-74).",
			Verdicts: map[string]string{"pass": "not less", "fail": "less: the target would refuse batches that the source takes", "unknown": "a limit is not told"},
		},
	}
}

func brokerEntries() []Entry {
	const configs = "DescribeConfigs on the cluster."
	return []Entry{
		{
			Name: NameAutoCreate, Asks: "Does the target create topics only when it is told to? (R26)", Waivable: true, Rights: configs,
			Evidence: "auto.create.topics.enable of the target's brokers.",
			Verdicts: map[string]string{"pass": "no broker says true", "unknown": "one does: whether clients ask for wrong names is not known"},
		},
		{
			Name: NameLimits, Asks: "Are the target's broker-level limits as wide as the source's? (R26)", Waivable: true, Rights: configs,
			Evidence: "The tightest broker of the target against the widest of the source, for " + limitNames() + ". Message sizes have a check of their own (" + NameMessages + ").",
			Verdicts: map[string]string{"pass": "none is tighter", "fail": "one is, by its name", "unknown": "a broker does not tell its configs"},
		},
		{
			Name: NameVersions, Asks: "Are all brokers of a cluster of one version?", Waivable: true, Rights: noRights,
			Evidence: "The requests that each broker speaks (ApiVersions, KIP-35), from which its release follows, and metadata.version where there is one; KRaft or ZooKeeper. Where the target refuses clients that the source serves (KIP-896), a note in the diff says so.",
			Verdicts: map[string]string{"pass": "they are", "unknown": "they are mixed: an upgrade is under way"},
		},
	}
}

func limitNames() string {
	var names []string
	for _, l := range brokerLimits() {
		names = append(names, l.key)
	}
	return strings.Join(names, ", ")
}

func movingEntries() []Entry {
	return []Entry{
		{
			Name: diff.CheckOrder, Asks: "May records of one key be handled in another order than they were written?", Waivable: true,
			Rights:   "Read on the selected topics of the source.",
			Evidence: "With production_later, topics that still have to move: whether they are compacted, or their newest records carry keys.",
			Verdicts: map[string]string{"pass": "no such topic", "unknown": "keys: only people know whether the consumers mind"},
		},
		{
			Name: NameState, Asks: "Does state stay behind on the source? (R12)", Waivable: true,
			Rights:   "Describe on the topics of the source; those that kplan may not see are not found.",
			Evidence: "The names of all topics of the source: GROUP-…-changelog and GROUP-…-repartition of the plan's groups, since a Kafka Streams application is called like its group; _schemas, connect-configs, connect-offsets, connect-status, and the command topics of ksqlDB. Under other names they are not found.",
			Verdicts: map[string]string{"pass": "none is there", "fail": "a Streams application that moves has stores there, or a repartition topic that is not selected", "unknown": "a schema registry, Connect or ksqlDB keeps its state there: whether it belongs to the migration only people know"},
		},
		{
			Name: NameWritable, Asks: "Can a producer write with acks=all? (min.insync.replicas)", Waivable: true, Rights: describeTopics,
			Evidence: "The effective min.insync.replicas (of the topic, else the strictest of the brokers' and the cluster's default) against the replicas of each partition and those in sync: on the target of every selected topic, as it is and as kplan will make it, on the source of those that services write. Brokers from 4.0 want no more replicas in sync than a partition has.",
			Verdicts: map[string]string{"pass": "it is nowhere above them", "fail": "a partition takes no write with acks=all, or would take none: apply does not begin"},
		},
		{
			Name: NameTransactions, Asks: "Is no transaction open for long on the source? (R4)", Waivable: true, Rights: "Read on the selected topics of the source, Describe on transactional ids, to see names and ages.",
			Evidence: "Of topics that services still write on the source: partitions whose last stable offset is behind the high watermark. Their leaders tell the producers (DescribeProducers, from 2.8), the coordinators names and ages (from 3.0).",
			Verdicts: map[string]string{"pass": "none is open for a minute or more", "fail": "one is: its topic would have no boundary", "unknown": "nobody tells since when it is open, or the brokers could not be asked"},
		},
		{
			Name: NameMirror, Asks: "Can records be copied to the target's topics? (R14, R15)", Waivable: true, Rights: describeTopics,
			Evidence: "Of a plan with a mirror, before its copy begins: the log starts and ends of the target's topics, and whether kplan may alter those that it did not create.",
			Verdicts: map[string]string{"pass": "they are empty or missing, or the copy has begun", "fail": "a topic holds records of somebody else, or kplan may not give it what a copy needs"},
		},
		{
			Name: NameReaders, Asks: "Does the plan fit the clusters? (R11)", Waivable: true, Rights: describeGroups,
			Evidence: "The errors that the graph finds: readers of selected topics that no service owns, waves that cannot be ordered.",
			Verdicts: map[string]string{"pass": "none", "fail": "an error, by its code, with its place in the files"},
		},
		{
			Name: diff.CheckRetention, Asks: "Does the target keep records long enough for the consumers to come? (R16)", Waivable: true, Rights: describeTopics,
			Evidence: "With production_first, the retention of topics on the target that kplan did not create and may not alter, against drain_timeout.",
			Verdicts: map[string]string{"pass": "twice as long as drain_timeout, or kplan holds it", "fail": "shorter", "unknown": "limited by bytes"},
		},
		{
			Name: NameParity, Asks: "Is each selected topic on the target as the plan wants it?", Waivable: true, Rights: describeTopics,
			Evidence: "Partitions, replication factor and every config that is set, on both clusters; the changes that apply would still make.",
			Verdicts: map[string]string{"pass": "as wanted", "fail": "missing, or different"},
		},
		{
			Name: NameOffsets, Asks: "Has each group a valid offset on every partition on the side where it reads? (R9)", Rights: describeGroups,
			Evidence: "The group's commits against where the logs begin and end.",
			Verdicts: map[string]string{"pass": "on all that hold records", "fail": "missing on the target, beyond the log end, or before the log start", "unknown": "not yet moved, and without a commit on a partition that holds records"},
		},
		{
			Name: NameDrained, Asks: "Is nothing unread and nobody reading on the source? (R7)", Rights: readTopics,
			Evidence: "For groups that have moved: members, and a read from the position to the boundary. Where the source has forgotten the group's offsets, the position is the journal's.",
			Verdicts: map[string]string{"pass": "nothing, nobody", "fail": "a member, or an unread record", "unknown": "neither the source nor the state knows the position any more, or what lies there cannot be read", "error": "the source could not be read"},
		},
		{
			Name: NameStray, Asks: "Does nobody write on the source any more? (R6)", Rights: "Read on the selected topics of the source.",
			Evidence: "For topics that have moved: a read from the boundary on.",
			Verdicts: map[string]string{"pass": "nothing behind the boundary", "fail": "a record, by offset and producer id", "unknown": "what lies there cannot be read", "error": "the source could not be read"},
		},
	}
}

// Document is docs/checks.md.
func Document(entries []Entry) string {
	var b strings.Builder
	b.WriteString("# Checks\n\nGenerated from the code (`make golden`); do not edit.\n\n" +
		"A check is a read-only question with a verdict: pass, fail, unknown (it cannot be decided) or error (it could not be asked). " +
		"`kplan diff` shows what does not pass, `kplan apply` begins only when nothing fails, `kplan verify` and `kplan probe` end with 2 when something fails and with 3 when something is unknown. " +
		"Most can be waived in the migration block, with a reason that every report shows: `waive \"NAME\" { reason = \"...\" }`.\n\n" +
		"Rights are those of kplan's principal, as kafka-acls names them. `kplan probe` asks the `connect` checks, from where it runs, and the `conformance` and `load` checks when it is told to, for those write to a scratch topic.\n")
	for _, e := range entries {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| | |\n|---|---|\n| evidence | %s |\n", e.Name, e.Asks, e.Evidence)
		for _, v := range []diff.Verdict{diff.Pass, diff.Fail, diff.Unknown, diff.Error} {
			if when := e.Verdicts[string(v)]; when != "" {
				fmt.Fprintf(&b, "| %s | %s |\n", v, when)
			}
		}
		fmt.Fprintf(&b, "| needs | %s |\n", e.Rights)
		if !e.Waivable {
			b.WriteString("| waiver | cannot be waived |\n")
		}
	}
	return b.String()
}
