package checks

import (
	"fmt"
	"slices"
	"time"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// NameTransactions is the check for transactions that stay open.
const NameTransactions = diff.CheckTransactions

const askedTransactions = "is no transaction open for long on the source?"

// HeldBack returns the partitions of topics that services still write on the
// source whose last stable offset stays behind the high watermark: about those
// the brokers are asked.
func HeldBack(g Ground, written func(topic string) cluster.Side) map[string][]int32 {
	moving := produced(g)
	held := map[string][]int32{}
	for tp, e := range g.Source.LogEnds {
		if e.LastStable < e.HighWatermark && slices.Contains(moving, tp.Topic) && written(tp.Topic) != cluster.Target {
			held[tp.Topic] = append(held[tp.Topic], tp.Partition)
		}
	}
	return held
}

// Transactions judges the transactions that are open on such partitions: while
// one is, its topic gets no boundary (R4). err is why the brokers could not be
// asked; command aborts one.
func Transactions(g Ground, open []cluster.OpenTransaction, err error, now time.Time, command func(cluster.OpenTransaction) string) []Result {
	r := Result{Name: NameTransactions, Object: diff.Object{Kind: "plan", Name: g.Migration.Name}, Verdict: diff.Pass, Asked: askedTransactions, Saw: "none is open for a minute or more"}
	if err != nil {
		r.Verdict, r.Saw = diff.Unknown, err.Error()
		r.Advice = "Look whether the last stable offsets of the source's topics follow their high watermarks; one that does not move has a transaction that nobody ends"
		return []Result{r}
	}
	var all []Result
	for _, t := range open {
		age := now.Sub(t.Since)
		if !t.Since.IsZero() && age < diff.LongTransaction {
			continue
		}
		one := r
		one.Object, one.Verdict = diff.Object{Kind: "topic", Name: t.Partition.Topic}, diff.Fail
		one.Saw = fmt.Sprintf("%s, for %s by now", t, age.Round(time.Second))
		if t.Since.IsZero() { // it may have begun just now
			one.Verdict, one.Saw = diff.Unknown, t.String()+", nobody tells since when"
		}
		one.Advice = "Let its producer commit or abort it; where that is gone, abort it: " + command(t) + ". Waive the check where transactions are open for that long on purpose"
		all = append(all, one)
	}
	if len(all) == 0 {
		return []Result{r}
	}
	return all
}
