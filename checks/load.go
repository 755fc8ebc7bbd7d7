package checks

import (
	"fmt"
	"time"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// NameLoad is the check of kplan probe --load.
const NameLoad = "load.headroom"

// kept is the share of the wanted rate from which on it counts as reached: the
// clock of a few seconds is no better.
const kept = 0.95

// Load judges what the target bore, against rate, which the source needs, in
// bytes a second before replication; how says where that figure is from.
func Load(l cluster.Load, rate float64, how string) Result {
	r := Result{
		Name: NameLoad, Object: diff.Object{Kind: "cluster", Name: l.Cluster},
		Asked: "does the target take what the source is written?",
	}
	took := l.Took.Round(100 * time.Millisecond)
	switch {
	case l.Failed != "" && l.Records == 0:
		r.Verdict, r.Saw = diff.Error, "nothing could be written: "+l.Failed
		r.Advice = "Correct that, and ask again; it needs Create, Describe, Write and Delete on topics that begin with _kplan."
	default:
		r.Saw = fmt.Sprintf("%s/s for %s on %d partitions with %d replicas, slowest acknowledgement %s; the source: %s/s (%s)",
			bytesText(int64(l.Achieved)), took, l.Partitions, l.Replicas, l.Slowest.Round(time.Millisecond), bytesText(int64(rate)), how)
		r.Verdict = diff.Pass
		if rate > 0 {
			more := ""
			if l.Achieved >= kept*l.Wanted && l.Failed == "" {
				more = " or more, since no more was sent"
			}
			r.Saw += fmt.Sprintf("; that is %.1f times as much%s", l.Achieved/rate, more)
		}
		if l.Failed != "" {
			r.Saw += "; it ended early: " + l.Failed
		}
		if l.Failed != "" || l.Achieved < kept*l.Wanted {
			r.Verdict = diff.Fail
			r.Advice = fmt.Sprintf("%s/s were sent. Look at the target's disks, network and quotas, or at the network between here and there, before services depend on it.", bytesText(int64(l.Wanted)))
		}
	}
	if l.Left != "" {
		r.Saw, r.Advice = leftOver(r.Saw, r.Advice, l.Topic, l.Left)
	}
	return r
}

func loadEntries() []Entry {
	return []Entry{{
		Name: NameLoad, Asks: "Does the target take what the source is written?", Waivable: true,
		Rights:   "Create, Describe, Write and Delete on topics of the target that begin with _kplan.; Describe on the selected topics of the source, and Describe on its cluster (DescribeLogDirs).",
		Evidence: "Asked by kplan probe --load only. The log ends of the selected topics are read twice on the source, and times the mean size of their records (log sizes over records) give its rate; --rate states a peak instead. Random bytes go at several times that rate to a scratch topic on the target, with acks=all, for some seconds; the topic is deleted afterwards.",
		Verdicts: map[string]string{"pass": "what was sent was acknowledged in time", "fail": "it was not, or an error ended it", "error": "nothing could be written"},
	}}
}
