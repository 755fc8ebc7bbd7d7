package checks

import "kplan/plan/diff"

// The names of the checks of this package, as `waive` takes them.
const (
	NameConnect      = "connect"
	NameTLS          = "connect.tls"
	NameExpiry       = "connect.expiry"
	NameSASL         = "connect.sasl"
	NameCapacity     = "capacity.brokers"
	NameDisk         = "capacity.disk"
	NameMessages     = "capacity.messages"
	NameLogs         = "capacity.partitions"
	NameRacks        = "capacity.racks"
	NameReplicas     = "capacity.replicas"
	NameVersions     = "brokers.versions"
	NameLimits       = "brokers.parity"
	NameAutoCreate   = "brokers.autocreate"
	NameFence        = "fence.possible"
	NameFenceEffect  = "fence.effect"
	NameFenceWriters = "fence.writers"
	NameFenceStands  = "fence.stands"

	NameParity  = diff.CheckParity
	NameState   = "state.topics"
	NameMirror  = "mirror.target"
	NameReaders = "readers.known"
	NameOffsets = "offsets.placed"
	NameDrained = "source.drained"
	NameStray   = "writers.moved"

	NameACLs      = diff.CheckACLs
	NameFirstRule = "acls.first"
	NameOwnRules  = "acls.own"
	NameQuotas    = diff.CheckQuotas
	NameUsers     = diff.CheckUsers

	NameRightsSource   = "rights.source"
	NameRightsTarget   = "rights.target"
	NameRightsState    = "rights.state"
	NameRightsServices = "rights.services"
)

// Result is the answer of one check.
type Result = diff.Check

// Failing leaves out what passes.
func Failing(results []Result) []Result {
	var out []Result
	for _, r := range results {
		if r.Verdict != diff.Pass {
			out = append(out, r)
		}
	}
	return out
}
