package checks

import (
	"fmt"
	"strings"

	"kplan/plan"
)

// RightsDocument is docs/rights.md: the table for people, and for each place the
// commands that grant it.
func RightsDocument() string {
	var b strings.Builder
	b.WriteString("# Rights\n\nGenerated from the code (`make golden`); do not edit.\n\n" +
		"What kplan's principal must be allowed to do, and no more. `kplan diff`, `apply` and `verify` ask the clusters for each of these rights " +
		"(checks `rights.source`, `rights.target` and `rights.state`) and name those that are missing, with the command that grants them. " +
		"A cluster without an authorizer grants everything, and so does one to a super user.\n\n" +
		"Read, Write, Delete and Alter bring Describe along, AlterConfigs brings DescribeConfigs (KIP-11), so those are not granted again. " +
		"The first rule about a resource shuts out everybody else who lived on `allow.everyone.if.no.acl.found`: look at that setting before the first command, also for the cluster as a resource. " +
		"In the commands, `orders.` stands for the prefix of the selected topics and `orders-` for that of the services' groups; single names do as well.\n")
	for _, place := range []struct{ name, title, principal string }{
		{OnSource, "On the source", "User:kplan"}, {OnTarget, "On the target", "User:kplan"}, {OnState, "Where the state is kept in a topic", "User:kplan"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| right | on | needed for | when |\n|---|---|---|---|\n", place.title)
		var commands []string
		for _, r := range RightsNeeded() {
			if r.Place != place.name {
				continue
			}
			on, when := r.Names, r.When
			if r.Resource == "cluster" {
				on = "the cluster"
			}
			if when == "" {
				when = "always"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cased(r.Operation), on, r.For, when)
			commands = append(commands, exampleCommand(place.name, place.principal, r))
		}
		fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.Join(commands, "\n"))
	}
	b.WriteString("\n## The services' principals\n\nOn the target, under their names there: Write on the topics that the service produces, Read on those that it consumes, Read on its groups (check `rights.services`). An `acls` block copies their rules from the source.\n")
	return b.String()
}

func exampleCommand(place, who string, r Right) string {
	bootstrap := map[string]string{OnSource: "old:9092", OnTarget: "new:9092", OnState: "old:9092"}[place]
	prefixed := " --resource-pattern-type prefixed"
	sample := RightsGround{Plan: &plan.Plan{Migration: &plan.Migration{Name: "orders", Mirror: &plan.Mirror{}}}, NewState: true, NewShelf: true}
	switch {
	case r.Resource == "cluster":
		return allow(bootstrap, who, r.Resource, r.Operation, nil)
	case r.grant != nil, r.Resource == "transactional_id":
		return allow(bootstrap, who, r.Resource, r.Operation, []string{everyName})
	case place == OnState:
		return allow(bootstrap, who, r.Resource, r.Operation, r.names(sample))
	case r.Operation == "describe" && r.Resource == "topic":
		return allow(bootstrap, who, r.Resource, r.Operation, transactionTopics())
	case r.Resource == "group" && len(r.names(sample)) > 0: // one of kplan's own
		return allow(bootstrap, who, r.Resource, r.Operation, r.names(sample))
	case r.Resource == "group":
		return allow(bootstrap, who, r.Resource, r.Operation, []string{"orders-"}) + prefixed
	}
	return allow(bootstrap, who, r.Resource, r.Operation, []string{"orders."}) + prefixed
}
