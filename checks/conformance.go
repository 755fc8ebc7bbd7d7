package checks

import (
	"strings"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// The names of the checks of conformance (R22), in the order of the trials.
const (
	NameSequence  = "conformance.sequence"
	NameDuplicate = "conformance.duplicate"
	NameOrder     = "conformance.order"
	NameEpoch     = "conformance.epoch"
	NameLogEnd    = "conformance.logend"
	NameDelete    = "conformance.delete"
	NameMarkers   = "conformance.markers"
)

// technique is what a check of conformance asks, and what is lost without.
type technique struct {
	name    string
	asks    string
	does    string // evidence
	without string // what the mirror cannot do then
}

// techniques says for each trial what it means.
func techniques() map[cluster.Technique]technique {
	const nothing = "No mirror can copy to this cluster without losing or repeating records after a crash: move with a scheme that needs none (production_first, production_later)."
	return map[cluster.Technique]technique{
		cluster.TrySequence: {
			NameSequence, "May a producer id that is new to a partition begin with any sequence?",
			"A fresh producer id sends a batch that begins with sequence 1234567.",
			"The mirror could not go on in a topic that has records already. " + nothing,
		},
		cluster.TryDuplicate: {NameDuplicate, "Is a batch that is sent twice written once?", "The same batch is sent again; the log must not grow.", nothing},
		cluster.TryOrder:     {NameOrder, "Is a batch refused that leaves out sequences?", "A batch is sent whose sequence is 100 too high.", nothing},
		cluster.TryEpoch: {
			NameEpoch, "Is a batch of an older producer epoch refused?",
			"A batch of the next epoch is sent, and then one of the epoch before.",
			"A mirror that comes back late could write after the services have moved on: copy in one direction only, without reverse.",
		},
		cluster.TryLogEnd: {
			NameLogEnd, "Do brokers tell the true end of a log? (R5)",
			"Of a log where nothing is under way, the end is asked with replica id -2 and with -1; both must be what was written.",
			"The mirror could not find out after a crash where it was. " + nothing,
		},
		cluster.TryDelete: {
			NameDelete, "Does DeleteRecords move the start of a log?",
			"The first two records are deleted, and the log start asked.",
			"A leading gap cannot be filled: offsets can be preserved only for topics that begin at 0, all others are translated (offsets = \"translate\").",
		},
		cluster.TryMarkers: {
			NameMarkers, "Does a transaction marker take up one offset?",
			"Two abort markers are written for a producer id without a transaction, and a batch behind them.",
			"Gaps inside a log cannot be filled by markers: empty transactions remain for small ones, else the offsets are translated.",
		},
	}
}

// Conformance judges what a cluster showed on a scratch topic. A topic that is
// left over is told with the first answer.
func Conformance(c cluster.Conformance) []Result {
	var all []Result
	known := techniques()
	for i, trial := range c.Trials {
		t := known[trial.Technique]
		r := Result{Name: t.name, Object: diff.Object{Kind: "cluster", Name: c.Cluster}, Asked: lowerFirst(t.asks), Saw: trial.Saw}
		switch trial.Outcome {
		case cluster.Holds:
			r.Verdict = diff.Pass
		case cluster.Broken:
			r.Verdict, r.Advice = diff.Fail, t.without
		case cluster.Forbidden:
			r.Verdict, r.Advice = diff.Fail, "Grant kplan's principal what this needs ("+rightsOf(trial.Technique)+"). "+t.without
		default:
			r.Verdict, r.Advice = diff.Error, "Correct what came before, and ask again."
		}
		if i == 0 && c.Left != "" {
			r.Saw, r.Advice = leftOver(r.Saw, r.Advice, c.Topic, c.Left)
		}
		all = append(all, r)
	}
	return all
}

// leftOver names a scratch topic that could not be deleted. It is a part of what
// was seen, for nobody is given the advice of a check that passes.
func leftOver(saw, advice, topic, why string) (newSaw, newAdvice string) {
	saw += "; the scratch topic " + topic + " is still there (" + why + ")"
	return saw, strings.TrimSpace(advice + " Delete it with kafka-topics --delete --topic " + topic + ".")
}

// MirrorModes says which ways of copying to the cluster remain, from the most
// to the least.
func MirrorModes(c cluster.Conformance) string {
	holds := map[cluster.Technique]bool{}
	for _, t := range c.Trials {
		holds[t.Technique] = t.Outcome == cluster.Holds
	}
	switch {
	case !holds[cluster.TrySequence] || !holds[cluster.TryDuplicate] || !holds[cluster.TryOrder] || !holds[cluster.TryLogEnd]:
		return "no mirror"
	case !holds[cluster.TryDelete]:
		return "translate" + reverse(holds)
	case !holds[cluster.TryMarkers]:
		return "translate, and preserve where small gaps take empty transactions" + reverse(holds)
	}
	return "preserve and translate" + reverse(holds)
}

func reverse(holds map[cluster.Technique]bool) string {
	if !holds[cluster.TryEpoch] {
		return ", without a way back"
	}
	return ""
}

// rightsOf is what a technique needs, in the words of kafka-acls.
func rightsOf(t cluster.Technique) string {
	switch t {
	case cluster.TryDelete:
		return "Delete on the topic"
	case cluster.TryMarkers:
		return "ClusterAction on the cluster, or Alter since 3.8"
	}
	return "Create, Describe, Write and Delete on topics that begin with _kplan., IdempotentWrite on the cluster before 3.0"
}

// conformanceEntries documents the checks.
func conformanceEntries() []Entry {
	var all []Entry
	known := techniques()
	for _, trial := range cluster.Techniques() {
		t := known[trial]
		all = append(all, Entry{
			Name: t.name, Asks: t.asks, Waivable: true, Rights: strings.TrimSuffix(rightsOf(trial), ".") + ".",
			Evidence: "Asked by kplan probe --conformance only, on a scratch topic of its own that is deleted afterwards. " + t.does,
			Verdicts: map[string]string{"pass": "yes", "fail": "no, or kplan's principal may not; what remains of the mirror is said", "error": "an earlier trial or the connection failed"},
		})
	}
	return all
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
