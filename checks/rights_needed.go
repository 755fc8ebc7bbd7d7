package checks

import (
	"slices"

	"kplan/internal/cluster"
	"kplan/plan"
)

// Right is one row of the table of what kplan's principal must be allowed to
// do. The table is the only place that knows; docs/rights.md is made of it.
type Right struct {
	Place     string // source, target or state: the cluster of state "kafka"
	Resource  string // as in cluster.ACL
	Names     string // which ones, in words
	Operation string // as in cluster.ACL
	For       string // the operations of kplan that need it
	When      string // in words; empty: always

	applies func(g RightsGround) bool
	names   func(g RightsGround) []string
	grant   []string // what to grant it on, where that is not the names
}

// The places of rights.
const (
	OnSource = "source"
	OnTarget = "target"
	OnState  = "state"
)

// transactionTopics are Kafka's own that tell whether there are transactions.
func transactionTopics() []string { return []string{"__consumer_offsets", "__transaction_state"} }

func always(RightsGround) bool        { return true }
func ofCluster(RightsGround) []string { return []string{cluster.ClusterName} }

// everyName stands for all resources of a kind.
const everyName = "*"

func ofEverything(RightsGround) []string { return []string{everyName} }

// RightsNeeded is the table, the source's rows first. Where a principal has the
// right Read, Write, Delete or Alter, it has Describe as well, and with
// AlterConfigs it has DescribeConfigs (KIP-11): those rows are not repeated.
func RightsNeeded() []Right {
	return append(append(sourceRights(), targetRights()...), stateRights()...)
}

func sourceRights() []Right {
	moves := func(g RightsGround) bool { return len(g.groups()) > 0 }
	lists := func(g RightsGround) bool { return g.Transactions && (moves(g) || writes(g)) }
	const whenGroups, whenListed = "services have groups", "services have groups or write topics, and the brokers are of 3.0 or later"
	return []Right{
		{
			Place: OnSource, Resource: "cluster", Operation: "describe", applies: always, names: ofCluster,
			For: "finding every group that reads a selected topic (R11; with a mirror also what of its offset maps every group has read), sizes on disk, reading access rules and SCRAM users, asking for the other rights on the cluster",
		}, {
			Place: OnSource, Resource: "cluster", Operation: "describe_configs", applies: always, names: ofCluster,
			For: "comparing the limits of the brokers (R26), reading client quotas",
		}, {
			Place: OnSource, Resource: "topic", Names: "the selected topics", Operation: "read", applies: always, names: RightsGround.sourceTopics,
			For: "finding and describing them, looking whether records carry keys, whether anything is unread (R7), and whether somebody still writes (R6)",
		}, {
			Place: OnSource, Resource: "topic", Names: "the selected topics", Operation: "describe_configs", applies: always, names: RightsGround.sourceTopics,
			For: "making the target's topics alike",
		}, {
			Place: OnSource, Resource: "group", Names: "every group", Operation: "describe", applies: always, names: func(g RightsGround) []string { return g.Source.Groups }, grant: []string{everyName},
			For: "finding every group that reads a selected topic (R11; with a mirror also what of its offset maps every group has read)",
		}, {
			Place: OnSource, Resource: "group", Names: "the services' groups", Operation: "read", When: whenGroups, applies: moves, names: RightsGround.groups,
			For: "removing members that left without saying so (R9)",
		}, {
			Place: OnSource, Resource: "group", Names: "the mirror's group, _kplan.MIGRATION.mirror", Operation: "read", When: `the mirror has run = "worker"`, applies: hasWorkers,
			names: func(g RightsGround) []string { return []string{ownName(g) + ".mirror"} },
			For:   "sharing partitions among workers (R17)",
		}, {
			Place: OnSource, Resource: "topic", Names: "Kafka's own topics of offsets and transactions", Operation: "describe", When: whenGroups, applies: moves,
			names: func(RightsGround) []string { return transactionTopics() },
			For:   "knowing whether there were ever transactions that could hold offsets of a group (R9), and with a mirror whether all groups are listed: without it its offset maps grow",
		}, {
			Place: OnSource, Resource: "transactional_id", Names: "every transactional id", Operation: "describe", When: whenListed, applies: lists, names: ofEverything,
			For: "finding open transactions that hold offsets of a group (R9), names and ages of those that are open on topics that services write (R4)",
		}, {
			Place: OnSource, Resource: "cluster", Operation: "alter", When: `the fence is "acl" and a writer names its principals`, applies: fences, names: ofCluster,
			For: "setting and removing the fence (R8)",
		},
	}
}

func hasMirror(g RightsGround) bool  { return g.Plan.Migration.Mirror != nil }
func hasWorkers(g RightsGround) bool { return hasMirror(g) && g.Plan.Migration.Mirror.Run == "worker" }

// ownName begins what is kplan's own for a migration.
func ownName(g RightsGround) string { return cluster.OwnPrefix + g.Plan.Migration.Name }

// writes reports whether a service of the plan writes.
func writes(g RightsGround) bool {
	return slices.ContainsFunc(g.Plan.Migration.Services, func(s *plan.Service) bool { return len(s.Produces) > 0 })
}

// fences reports whether the plan has a writer to fence off.
func fences(g RightsGround) bool {
	m := g.Plan.Migration
	return m.Scheme.Fence == "acl" && slices.ContainsFunc(m.Services, func(s *plan.Service) bool {
		return len(s.Produces) > 0 && len(s.Principals) > 0
	})
}

func targetRights() []Right {
	moves := func(g RightsGround) bool { return len(g.groups()) > 0 }
	existing := func(g RightsGround) bool { return g.Plan.Migration.Topics.Parity.Existing == "alter" }
	return []Right{
		{
			Place: OnTarget, Resource: "cluster", Operation: "describe", applies: always, names: ofCluster,
			For: "finding every group that reads a selected topic (R11), free disk, reading access rules and SCRAM users, asking for the other rights on the cluster",
		}, {
			Place: OnTarget, Resource: "cluster", Operation: "describe_configs", applies: always, names: ofCluster,
			For: "comparing the limits of the brokers (R26), reading client quotas",
		}, {
			Place: OnTarget, Resource: "topic", Names: "the selected topics", Operation: "read", applies: always, names: RightsGround.targetTopics,
			For: "finding and describing them, placing offsets on them (R9), looking whether consumers work (R10)",
		}, {
			Place: OnTarget, Resource: "topic", Names: "the selected topics", Operation: "describe_configs", applies: always, names: RightsGround.targetTopics,
			For: "comparing them with the source's",
		}, {
			Place: OnTarget, Resource: "topic", Names: "the selected topics", Operation: "create", When: "they are not there yet; Create on the cluster will do", applies: always,
			names: func(g RightsGround) []string { return g.Target.Missing },
			For:   "creating them",
		}, {
			Place: OnTarget, Resource: "topic", Names: "the selected topics", Operation: "alter_configs", When: `the scheme is production_first with services, or existing = "alter", or there is a mirror`,
			applies: func(g RightsGround) bool {
				return existing(g) || hasMirror(g) || g.Plan.Migration.Scheme.Kind == plan.ProductionFirst && len(g.Plan.Migration.Services) > 0
			},
			names: RightsGround.targetTopics,
			For:   "holding their retention until the consumers come (R16), setting what differs, and what the copy needs (R15)",
		}, {
			Place: OnTarget, Resource: "topic", Names: "the selected topics", Operation: "write", When: "there is a mirror", applies: hasMirror, names: RightsGround.targetTopics,
			For: "copying records, by who runs the mirror",
		}, {
			Place: OnTarget, Resource: "cluster", Operation: "idempotent_write", When: "there is a mirror, and brokers are older than 2.8", names: ofCluster,
			applies: func(g RightsGround) bool { return hasMirror(g) && g.StrictIDs },
			For:     "having a producer id; from 2.8 on Write on a topic will do (KIP-679)",
		}, {
			Place: OnTarget, Resource: "topic", Names: "the selected topics", Operation: "alter", When: `existing = "alter"`, applies: existing, names: RightsGround.targetTopics,
			For: "adding partitions",
		}, {
			Place: OnTarget, Resource: "group", Names: "every group", Operation: "describe", applies: always, names: func(g RightsGround) []string { return g.Target.Groups }, grant: []string{everyName},
			For: "finding every group that reads a selected topic (R11), seeing consumers join (R10)",
		}, {
			Place: OnTarget, Resource: "group", Names: "the services' groups", Operation: "read", When: "services have groups", applies: moves, names: RightsGround.groups,
			For: "placing offsets (R9)",
		}, {
			Place: OnTarget, Resource: "cluster", Operation: "alter", When: "there is an acls block or a user block", names: ofCluster,
			applies: func(g RightsGround) bool { return g.Plan.Migration.ACLs != nil || len(g.Plan.Migration.Users) > 0 },
			For:     "creating access rules and SCRAM users",
		}, {
			Place: OnTarget, Resource: "cluster", Operation: "alter_configs", When: "there is a quotas block", names: ofCluster,
			applies: func(g RightsGround) bool { return g.Plan.Migration.Quotas != nil },
			For:     "setting client quotas",
		},
	}
}

func stateRights() []Right {
	inTopic := func(g RightsGround) bool { return g.Plan.State.Backend == "kafka" }
	row := func(operation, what string) Right {
		return Right{
			Place: OnState, Resource: "topic", Names: "_kplan.MIGRATION; with a mirror _kplan.MIGRATION.mirror, too", Operation: operation, For: what, When: `state "kafka"`, applies: inTopic,
			names: func(g RightsGround) []string {
				if hasMirror(g) {
					return []string{ownName(g), ownName(g) + ".mirror"}
				}
				return []string{ownName(g)}
			},
		}
	}
	create := row("create", "making it")
	create.When = `state "kafka", and the topic is not there yet; Create on the cluster will do`
	create.names = func(g RightsGround) (names []string) {
		if g.NewState {
			names = append(names, ownName(g))
		}
		if g.NewShelf && hasMirror(g) {
			names = append(names, ownName(g)+".mirror")
		}
		return names
	}
	return []Right{
		row("read", "knowing what was done"), row("write", "recording what is done"), row("describe_configs", "seeing that it is compacted"), create,
	}
}
