package checks

import (
	"fmt"
	"slices"
	"strings"

	"kplan/plan/diff"
)

// StateTopics judges whether services that are to move keep state on the source
// that stays behind (R12): topics that Kafka Streams makes for an application
// (its id is its group's), and those in which other programs keep what they
// know. Without a mirror such state is missing on the target even where the topic
// is selected; with one it is there, under other offsets.
func StateTopics(g Ground) []Result {
	names := slices.Clone(g.Source.Others)
	for name := range g.Source.Topics {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []Result
	for _, group := range g.Selected {
		all = append(all, g.streams(group, names)...)
	}
	for _, name := range names {
		if keeper := keeperOf(name); keeper != "" {
			all = append(all, Result{
				Name: NameState, Object: diff.Object{Kind: "topic", Name: name}, Verdict: diff.Unknown, Asked: askedState,
				Saw:    keeper + " keeps its state in it on the source",
				Advice: "Move it by its own means, or let it stay; then waive the check with what was decided",
			})
		}
	}
	if len(all) == 0 {
		all = append(all, Result{Name: NameState, Object: diff.Object{Kind: "plan", Name: g.Migration.Name}, Verdict: diff.Pass, Asked: askedState, Saw: "no topic of a Streams application, schema registry or ksqlDB"})
	}
	return all
}

const askedState = "does state stay behind on the source?"

// streams finds the internal topics of the Streams application whose group that
// is (StreamsConfig, application.id): stores, and records on their way between
// its parts.
func (g Ground) streams(group string, names []string) []Result {
	var stores, copied, ways []string
	for _, name := range names {
		rest, its := strings.CutPrefix(name, group+"-")
		switch {
		case !its:
		case strings.HasSuffix(rest, "-changelog"):
			if _, selected := g.Source.Topics[name]; selected && g.Migration.Mirror != nil {
				copied = append(copied, name)
				continue
			}
			stores = append(stores, name)
		case strings.HasSuffix(rest, "-repartition"):
			if _, selected := g.Source.Topics[name]; !selected {
				ways = append(ways, name)
			}
		}
	}
	r := Result{Name: NameState, Object: diff.Object{Kind: "group", Name: group}, Verdict: diff.Fail, Asked: askedState}
	var all []Result
	if len(stores) > 0 {
		one := r
		one.Saw = fmt.Sprintf("its stores are kept in %s, which stays behind: the application would start on the target with empty stores", some(stores))
		one.Advice = "Move the application by hand, or waive the check where its stores may be built anew"
		all = append(all, one)
	}
	if len(copied) > 0 {
		one := r
		one.Verdict = diff.Unknown
		one.Saw = fmt.Sprintf("its stores are kept in %s, which is copied with offsets of its own: what the application's instances have on their disks does not fit them", some(copied))
		one.Advice = "Let the service's start empty state.dir, so that the stores are built from the copy; then waive the check"
		all = append(all, one)
	}
	if len(ways) > 0 {
		one := r
		one.Saw = fmt.Sprintf("records on their way inside the application are in %s, which no topics.include covers: what is unread there when it stops is lost", some(ways))
		one.Advice = "Add them to topics.include, and to both produces and consumes of its service: then they are drained like the others"
		all = append(all, one)
	}
	return all
}

// keeperOf names the program that keeps its state in a topic of that name, as
// its default configuration calls it; empty: none that is known.
func keeperOf(topic string) string {
	switch {
	case topic == "_schemas":
		return "a schema registry"
	case strings.HasPrefix(topic, "_confluent-ksql-") && strings.HasSuffix(topic, "_command_topic"):
		return "a ksqlDB server"
	case topic == "connect-configs", topic == "connect-offsets", topic == "connect-status":
		return "a Connect cluster"
	}
	return ""
}
