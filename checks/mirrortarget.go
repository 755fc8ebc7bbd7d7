package checks

import (
	"fmt"
	"slices"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

const askedMirror = "can records be copied to the target's topic?"

// MirrorTarget judges the topics of the target to which the mirror has not
// begun to copy: whether they hold records that somebody else has brought there,
// and whether kplan may give them the configs that a copy needs (R14, R15). begun
// says that a copy is under way or over; owned are the topics that kplan created.
func MirrorTarget(g Ground, begun bool, owned map[string]bool) []Result {
	if g.Migration.Mirror == nil {
		return nil
	}
	var all []Result
	if !begun {
		for _, w := range g.Wants {
			if topic, exists := g.Target.Topics[w.Name]; exists {
				topic.Name = w.Name
				all = append(all, g.mirrorTarget(topic, diff.MayAlter(g.Migration, owned, w.Name))...)
			}
		}
	}
	if len(all) == 0 {
		saw := "the target's topics are empty, or still to be created"
		if begun {
			saw = "the copy has begun"
		}
		all = append(all, Result{Name: NameMirror, Object: diff.Object{Kind: "plan", Name: g.Migration.Name}, Verdict: diff.Pass, Asked: askedMirror, Saw: saw})
	}
	return all
}

func (g Ground) mirrorTarget(topic cluster.Topic, may bool) []Result {
	r := Result{Name: NameMirror, Object: diff.Object{Kind: "topic", Name: topic.Name}, Verdict: diff.Fail, Asked: askedMirror}
	var all []Result
	var held int64
	for tp, e := range g.Target.LogEnds {
		if tp.Topic == topic.Name {
			held += e.LogEnd - e.LogStart
		}
	}
	if held > 0 {
		one := r
		one.Saw = fmt.Sprintf("it holds %d offsets that this mirror has not copied: readers would find them before the source's records, and perhaps the same records twice", held)
		one.Advice = "Find out who wrote them (an earlier mirror, a test) and delete the topic, kplan makes it anew; or waive the check where they belong before the source's"
		all = append(all, one)
	}
	if set, _ := diff.CopyConfigs(topic); len(set) > 0 && !may {
		keys := make([]string, 0, len(set))
		for key := range set {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		one := r
		one.Saw = fmt.Sprintf("kplan did not create it, and a copy needs %s changed while it goes on", some(keys))
		one.Advice = fmt.Sprintf("Name the topic in the plan (topic %q {}), or let kplan alter existing topics (parity { existing = \"alter\" }): they are given back when the copy ends", topic.Name)
		all = append(all, one)
	}
	return all
}
