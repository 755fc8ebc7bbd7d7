package checks

import (
	"fmt"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
)

// principal is whom the brokers take kplan for on a cluster, as far as the plan
// tells: a mapping of principals on the brokers is not known to it.
func principal(on *plan.Cluster) string {
	switch {
	case on.SASL != nil && on.SASL.Username != "":
		return "User:" + on.SASL.Username
	case on.SASL != nil:
		return "User:SUBJECT-OF-THE-TOKEN"
	case on.TLS != nil && on.TLS.CertFile != "":
		return "User:SUBJECT-OF-" + on.TLS.CertFile
	}
	return "User:ANONYMOUS"
}

// commandNames is how many names one command shows.
const commandNames = 20

// Command is what an administrator types to grant a right.
func Command(on *plan.Cluster, who string, r Right, names []string) string {
	return allow(strings.Join(on.Bootstrap, ","), who, r.Resource, r.Operation, names)
}

func allow(bootstrap, who, resource, operation string, names []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-acls --bootstrap-server %s --add --allow-principal %s --operation %s", cluster.CommandLine(bootstrap), cluster.CommandLine(who), cased(operation))
	if resource == "cluster" {
		b.WriteString(" --cluster")
		return b.String()
	}
	flag := map[string]string{"topic": "--topic", "group": "--group", "transactional_id": "--transactional-id"}[resource]
	for i, n := range names {
		if i == commandNames {
			fmt.Fprintf(&b, ", and the same for %d more", len(names)-i)
			break
		}
		fmt.Fprintf(&b, " %s %s", flag, cluster.CommandLine(n))
	}
	return b.String()
}

// cased is an operation as kafka-acls writes it: DescribeConfigs.
func cased(operation string) string {
	var b strings.Builder
	for _, w := range strings.Split(operation, "_") {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}
