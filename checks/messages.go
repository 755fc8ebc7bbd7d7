package checks

import (
	"fmt"
	"strconv"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// messages judges whether the target takes batches as large as the source does,
// topic by topic: max.message.bytes as it will be there, and the largest
// request that each broker reads. A smaller replica.fetch.max.bytes is no limit
// (KIP-74, 0.10.1): followers fetch one larger batch at a time.
func (g Ground) messages() Result {
	r := onTarget(NameMessages, "does the target take batches as large as the source does?")
	inherited := g.inherited("max.message.bytes", "message.max.bytes")
	request := g.least("socket.request.max.bytes")
	var small []string
	var largest int64
	untold := 0
	for _, w := range g.Wants {
		from, ok := limit(g.Source.Topics[w.Name].Configs["max.message.bytes"].Value)
		if !ok {
			untold++
			continue
		}
		largest = max(largest, from)
		to, ok := limit(w.Configs["max.message.bytes"])
		if have := g.Target.Topics[w.Name].Configs["max.message.bytes"]; !ok {
			if have.Source == cluster.SourceTopic {
				continue // set there on purpose: parity judges it
			}
			to, ok = limit(have.Value)
		}
		if !ok {
			to, ok = limit(inherited)
		}
		switch {
		case ok && to < from:
			small = append(small, fmt.Sprintf("%s: %d bytes on the source, %d on the target", w.Name, from, to))
		case request > 0 && request < from:
			small = append(small, fmt.Sprintf("%s: %d bytes on the source, and the target's socket.request.max.bytes is %d", w.Name, from, request))
		case !ok:
			untold++
		}
	}
	r.Saw = fmt.Sprintf("up to %d bytes on the source, and no topic takes less on the target", largest)
	switch {
	case len(small) > 0:
		r.Verdict, r.Saw = diff.Fail, some(small)
		r.Advice = "Raise message.max.bytes on the target's brokers, or set max.message.bytes in the plan: topic \"NAME\" { config = { \"max.message.bytes\" = ... } }. Larger batches would be refused there"
	case untold > 0:
		r.Verdict, r.Saw = diff.Unknown, fmt.Sprintf("%d topics whose limit on one of the clusters is not told", untold)
		r.Advice = "Allow kplan to DescribeConfigs on the target's cluster, or compare message.max.bytes by hand"
	}
	return r
}

// inherited is what a new topic on the target gets where nothing is set.
func (g Ground) inherited(topicKey, brokerKey string) string {
	if c, ok := g.Target.Defaults[topicKey]; ok {
		return c.Value
	}
	if n := g.least(brokerKey); n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// least is the smallest value of a config among the target's brokers; 0: none
// tells.
func (g Ground) least(key string) int64 {
	var least int64
	for _, n := range g.TargetNodes {
		if v, ok := limit(n.Configs[key].Value); ok && (least == 0 || v < least) {
			least = v
		}
	}
	return least
}

func limit(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}
