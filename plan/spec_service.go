package plan

func specService() BlockSpec {
	return BlockSpec{
		Type: "service", Labels: []string{"NAME"}, Many: true, Doc: "Something that produces, consumes or both, and moves as one.",
		Attrs: []AttrSpec{
			{Name: "consumes", Kind: KindStrings, MayBeNil: true, Doc: "Topics that it reads, by full name."},
			{Name: "produces", Kind: KindStrings, MayBeNil: true, Doc: "Topics that it writes, by full name."},
			{Name: "groups", Kind: KindStrings, MayBeNil: true, MayBlank: true, Doc: "Consumer groups that it reads with; \"\" is the group without a name that old clients commit for."},
			{Name: "listener", Kind: KindString, Default: "the cluster's own", Doc: "The listener of both clusters that its clients use."},
			{Name: "principals", Kind: KindStrings, MayBeNil: true, Doc: "Who it is on the source, as \"User:name\": what the fence denies to write (R8)."},
			{Name: "transactional_ids", Kind: KindStrings, Doc: "Its transactional ids (R4).", NotBuilt: "Leave it out: kplan asks the brokers for open transactions."},
			{Name: "groupless", Kind: KindBool, Doc: "It reads without a consumer group (R11).", NotBuilt: "kplan cannot see such a service drain: move it by hand after the others, and leave its topics out of consumes."},
			{Name: "positions", Kind: KindEnum, Doc: "\"external\": it keeps its positions itself (R11).", NotBuilt: "kplan cannot move such positions: move the service by hand after the others."},
			{Name: "state", Kind: KindEnum, Doc: "What happens to the state of a stream processor: wipe or keep (R12).", NotBuilt: "Leave it out; a service that keeps state on the cluster starts on the target without it."},
			{Name: "for_each", Kind: KindAny, Doc: "Makes one service of each element.", NotBuilt: "Write the services one by one."},
			specStray(),
		},
		Blocks: []BlockSpec{
			specSwitchExec(), specSwitchManual(),
			{
				Type: "switch", Variant: "http", Doc: "Calls a webhook.",
				NotBuilt: "Use switch \"exec\" with a script that makes the calls.",
			},
			{
				Type: "switch", Variant: "kubernetes", Doc: "Patches a workload and scales it.",
				NotBuilt: "Use switch \"exec\" with a script that calls kubectl.",
			},
		},
	}
}

func specSwitchExec() BlockSpec {
	return BlockSpec{
		Type: "switch", Variant: "exec", Required: true, Doc: "Stops and starts the service by programs (argv, no shell).",
		Attrs: []AttrSpec{
			{Name: "stop", Kind: KindStrings, Required: true, Doc: "Stops the service on the side that KPLAN_SIDE names; must be idempotent."},
			{Name: "start", Kind: KindStrings, Required: true, Doc: "Starts the service on the side that KPLAN_SIDE names; must be idempotent."},
			{Name: "check", Kind: KindStrings, Required: true, Doc: "Prints the sides on which the service runs, one word per line: source, target, or nothing."},
			{Name: "timeout", Kind: KindDuration, Default: "5m", Min: "1s", Doc: "How long each call may take."},
		},
	}
}

func specSwitchManual() BlockSpec {
	return BlockSpec{
		Type: "switch", Variant: "manual", Required: true, Doc: "Asks a person, who answers with kplan done.",
		Attrs: []AttrSpec{
			{Name: "stop", Kind: KindText, Required: true, Doc: "What to do to stop the service; may use ${side.name}, ${side.cluster} and ${side.bootstrap}."},
			{Name: "start", Kind: KindText, Required: true, Doc: "What to do to start the service; may use ${side.name}, ${side.cluster} and ${side.bootstrap}."},
			{Name: "timeout", Kind: KindDuration, Default: "4h", Min: "1s", Doc: "How long to wait for the person."},
		},
	}
}
