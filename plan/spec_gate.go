package plan

// phaseMirror is the phase that only a plan with a mirror has.
const phaseMirror = "mirror"

// phaseWords are the phases that a gate can stand before.
func phaseWords() []ValueSpec {
	return []ValueSpec{
		{Value: "prepare", Doc: "Topics are made alike."},
		{Value: phaseMirror, Doc: "Records are copied; a plan without a mirror has no such phase."},
		{Value: "switch", Doc: "Services move."},
		{Value: "complete", Doc: "The way back ends.", NotBuilt: "kplan complete is not built either; leave the gate out."},
	}
}

func specGate() BlockSpec {
	return BlockSpec{
		Type: "gate", Labels: []string{"NAME"}, Many: true,
		Doc: "A point that is passed only when all of its conditions hold at one moment. It needs at least one.",
		Attrs: []AttrSpec{
			{Name: "before", Kind: KindString, Required: true, Doc: "What waits for it: a phase (prepare, mirror or switch), or a service by its name. A phase wins over a service of the same name."},
			{Name: "max_lag", Kind: KindInt, Min: "0", NoMax: true, Doc: "With a mirror the records that it may still have to copy, without one those that the selected groups may have unread on the source; all together."},
			{Name: "hold", Kind: KindDuration, Min: "1s", Doc: "How long max_lag must have held."},
			{Name: "soak", Kind: KindDuration, Min: "1s", Doc: "How long ago the last step that the gate waits for must have passed."},
			{Name: "verified", Kind: KindDuration, Min: "1s", Doc: "How old the last kplan verify of this plan without a failure may be."},
			{Name: "window", Kind: KindString, Doc: "When it may be passed, such as \"Tue,Wed 08:00-11:00 Europe/Madrid\"; several spans are separated by semicolons, and the zone (IANA) stands once, at the end."},
			{Name: "timeout", Kind: KindDuration, Default: "1h", Min: "1s", Doc: "How long measured conditions are waited for."},
		},
		Blocks: []BlockSpec{{
			Type: "approval", Labels: []string{"NAME"}, Many: true, Doc: "A person's word, given with kplan approve. Each one is needed.",
			Attrs: []AttrSpec{
				{Name: "expires", Kind: KindDuration, Default: "never", Min: "1s", Doc: "How long it counts after it was given."},
				{Name: "from", Kind: KindStrings, Default: "anybody", Doc: "Who may give it."},
				{Name: "others", Kind: KindBool, Default: "false", Doc: "Whoever started the apply may not give it."},
			},
		}},
	}
}

func specNotifyOn() AttrSpec {
	return AttrSpec{Name: "on", Kind: KindWords, Default: "all", Doc: "The occasions.", Values: []ValueSpec{
		{Value: string(OnPark), Doc: "It waits for a person."},
		{Value: string(OnFail), Doc: "It failed."},
		{Value: string(OnDone), Doc: "It is done."},
	}}
}

func specNotifyExec() BlockSpec {
	return BlockSpec{
		Type: "notify", Variant: "exec", Many: true, Doc: "Tells people how a run ended, by a program (argv, no shell) that reads the message as JSON. No part of the plan's hash.",
		Attrs: []AttrSpec{
			{Name: "command", Kind: KindStrings, Required: true, Doc: "The program and its arguments."},
			specNotifyOn(),
			{Name: "timeout", Kind: KindDuration, Default: "30s", Min: "1s", Doc: "How long it may take."},
		},
	}
}

func specNotifyHTTP() BlockSpec {
	return BlockSpec{
		Type: "notify", Variant: "http", Many: true, Doc: "Tells people how a run ended, by a POST of the message as JSON. No part of the plan's hash.",
		Attrs: []AttrSpec{
			{Name: "url", Kind: KindString, Required: true, Sensitive: true, Clear: true,
				Doc: "Where to post (http or https). It is never shown, since such addresses often hold a token; one that does belongs into env() or file(), and user:password@ in it must come from there."},
			{Name: "headers", Kind: KindHeaders, Sensitive: true, Clear: true,
				Doc: "Headers of the request. Their values are never shown; those whose names speak of a secret (Authorization, Cookie, X-Api-Key and the like) must come through env() or file()."},
			specNotifyOn(),
			{Name: "timeout", Kind: KindDuration, Default: "30s", Min: "1s", Doc: "How long it may take."},
		},
	}
}
