package plan

func specMigration() BlockSpec {
	return BlockSpec{
		Type: "migration", Labels: []string{"NAME"}, Required: true, Doc: "What moves, from where to where, and how. A plan has exactly one.",
		Attrs: []AttrSpec{
			{Name: "source", Kind: KindCluster, Required: true, Doc: "The cluster to leave, as cluster.NAME."},
			{Name: "target", Kind: KindCluster, Required: true, Doc: "The cluster to move to, as cluster.NAME."},
		},
		Blocks: []BlockSpec{
			specScheme("production_first", "Producers move first; consumers follow when they have consumed everything on the source. Order is kept.", ""),
			specScheme("production_later", "Consumers start on the target first, while the old ones drain the source. No added latency; order between the clusters is not kept.", ""),
			specScheme("stop_drain_start", "Wave by wave: stop, drain the mirror, place offsets, start.", "Use scheme \"production_first\", which keeps order as well, but waits for the drain."),
			specTopics(), specGroups(), specACLs(), specQuotas(), specUser(), specMirror(), specService(), specGate(), specNotifyExec(), specNotifyHTTP(),
			{
				Type: "waive", Labels: []string{"CHECK"}, Many: true, Doc: "Lets a check fail, by its name.",
				Attrs: []AttrSpec{
					{Name: "reason", Kind: KindString, Required: true, Doc: "Why; it is shown wherever the check is."},
				},
			},
			{
				Type: "verify", Doc: "How deep kplan verify looks.",
				Attrs: []AttrSpec{
					{Name: "level", Kind: KindEnum, Default: "offsets", Doc: "Each level includes the ones before.", Values: []ValueSpec{
						{Value: "config", Doc: "Topics and their configs."},
						{Value: "offsets", Doc: "And the positions of the groups."},
						{Value: "counts", Doc: "And the number of records.", NotBuilt: "Use level = \"offsets\"."},
						{Value: "content", Doc: "And the records themselves.", NotBuilt: "Use level = \"offsets\"."},
					}},
				},
			},
		},
	}
}

func specScheme(kind, doc, notBuilt string) BlockSpec {
	return BlockSpec{
		Type: "scheme", Variant: kind, Required: true, Doc: doc, NotBuilt: notBuilt,
		Attrs: []AttrSpec{
			{Name: "drain_timeout", Kind: KindDuration, Default: "2h", Min: "1s", Doc: "How long the consumers may take to consume what is left."},
			{Name: "quiet_for", Kind: KindDuration, Default: "10s with a fence, else 5m30s, the whole straggler watch", Min: "1s", Doc: "How long a topic must see no stranger's record before its producers start on the other side (R6)."},
			{Name: "fence", Kind: KindEnum, Default: "acl where every service that produces names its principals, else none", Doc: "What keeps stopped producers from writing on (R8).", Values: []ValueSpec{
				{Value: "none", Doc: "Nothing: kplan watches."},
				{Value: "acl", Doc: "DENY rules for the services' principals on the source, set when they have stopped."},
				{Value: "slow", Doc: "A producer quota.", NotBuilt: "A quota throttles after the record is in the log, so it is no fence: use fence = \"acl\", or \"none\", with which kplan watches for stragglers for longer."},
			}},
		},
	}
}

const strayLater = "kplan reports records of strangers and goes no further; leave it out."

func specStray() AttrSpec {
	return AttrSpec{Name: "stray", Kind: KindEnum, Doc: "What happens to a stranger's record behind the boundary (R14).", NotBuilt: strayLater}
}

func specTopics() BlockSpec {
	return BlockSpec{
		Type: "topics", Required: true, Doc: "The topics to migrate, and what they must be like on the target.",
		Attrs: []AttrSpec{
			{Name: "include", Kind: KindPatterns, Required: true, Doc: "Topics that belong to the migration."},
			{Name: "exclude", Kind: KindPatterns, MayBeNil: true, Doc: "Topics that do not, although include covers them."},
			specStray(),
		},
		Blocks: []BlockSpec{
			{
				Type: "parity", Doc: "What may differ between the clusters.",
				Attrs: []AttrSpec{
					{Name: "replication_factor", Kind: KindInt, Default: "the source's", Doc: "Replicas of each topic on the target."},
					{Name: "existing", Kind: KindEnum, Default: "report", Doc: "What to do about topics that kplan did not create.", Values: []ValueSpec{
						{Value: "report", Doc: "Say what differs."},
						{Value: "alter", Doc: "Change them."},
					}},
					{Name: "ignore", Kind: KindStrings, MayBeNil: true, Doc: "Config keys that may differ."},
				},
			},
			{
				Type: "topic", Labels: []string{"NAME"}, Many: true, Doc: "Settings of one topic.",
				Attrs: []AttrSpec{
					{Name: "config", Kind: KindConfig, Doc: "Configs that the topic gets on the target, whatever the source has."},
					{Name: "writers", Kind: KindEnum, Doc: "\"split\" lets services that write the topic move apart (R25).", NotBuilt: "Leave it out: services that write the same topic move together."},
					specStray(),
				},
			},
		},
	}
}

func specGroups() BlockSpec {
	return BlockSpec{
		Type: "groups", Doc: "The consumer groups to migrate.",
		Attrs: []AttrSpec{
			{Name: "include", Kind: KindPatterns, MayBeNil: true, MayBlank: true, Doc: "Groups that belong to the migration; \"\" is the group without a name."},
		},
		Blocks: []BlockSpec{
			{
				Type: "ignore", Labels: []string{"GROUP"}, Many: true, Doc: "A group that nobody owns any more (R11).",
				Attrs: []AttrSpec{{Name: "reason", Kind: KindString, Required: true, Doc: "Why it may stay behind."}},
			},
			{
				Type: "group", Labels: []string{"GROUP"}, Many: true, Doc: "Settings of one group.",
				Attrs: []AttrSpec{
					{Name: "uncommitted", Kind: KindEnum, Default: "fail", Doc: "What a partition means on which the group has committed nothing, but which holds records (R7).", Values: []ValueSpec{
						{Value: "earliest", Doc: "The group begins at its first record."},
						{Value: "latest", Doc: "The group begins behind its last record."},
						{Value: "fail", Doc: "The migration stops and asks."},
					}},
					{Name: "members", Kind: KindInt, Min: "0", Doc: "How many members it has when its service works (R10); 0 for consumers that come and go, as a cron job's do. Default: as many as it had just before the stop."},
					{Name: "beyond_end", Kind: KindEnum, Default: "fail", Doc: "What a committed offset means that lies beyond the end of the source's log, as after a topic was made anew (R9).", Values: []ValueSpec{
						{Value: "end", Doc: "The group has read everything that is there, and begins behind it on the target."},
						{Value: "fail", Doc: "The plan is refused until the offset is reset."},
					}},
				},
				Blocks: []BlockSpec{{
					Type: "ignore", Labels: []string{"TOPIC"}, Many: true, Doc: "A topic on which the group has committed and that it reads no more (R11).",
					Attrs: []AttrSpec{{Name: "reason", Kind: KindString, Required: true, Doc: "Why what is unread there does not matter."}},
				}},
			},
		},
	}
}
