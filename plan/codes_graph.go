package plan

// codesGraph lists KP20xx, what plan/graph reports.
func codesGraph() []CodeInfo {
	return []CodeInfo{
		{"KP2001", "Services wait for each other",
			"Following the data from service to service leads back to where it began: each would have to drain its topics before it stops, while the writer of those topics waits for it in turn. None of them can move first.",
			"Let one service own them all (declare them as one, which stops and starts together), or take out of consumes what is not really read."},
		{"KP2002", "Consumed topic that no service produces",
			"A service consumes a selected topic that no service of the plan produces. Its producers are unknown to kplan, so nobody stops them and nothing proves that they have moved.",
			"Declare the producing service, or make sure that nobody writes to the topic."},
		{"KP2003", "Topic not in the selection",
			"A service reads or writes a topic that does not exist on the source, or that the patterns do not select, so it would not exist on the target as the plan means it.",
			"Correct the name, or add the topic to topics.include."},
		{"KP2004", "Group not on the source",
			"A service owns a consumer group that has neither members nor commits on the source. It may never have run, or its name is misspelt.",
			"Correct the name; for a new group say what a partition without a commit means: groups { group \"NAME\" { uncommitted = ... } }."},
		{"KP2005", "Consumer group without an owner",
			"A consumer group of the source reads a selected topic, or is included by its name, but belongs to no service (R11). Moving the producers would starve it without a word.",
			"Name the group in a service, or say in groups that it may stay: ignore \"NAME\" { reason = ... }."},
		{"KP2006", "Way back not built yet",
			"Something that is on the target is wanted on the source.",
			"Leave it there, or move it back by hand."},
		{"KP2007", "Long pause in a wave",
			"Services that share the writing of a topic or a group have other services before and behind them in the stream: whoever of them stops first stays stopped while the others drain.",
			"Give the topics or groups one owner each, or plan for the pause."},
		{"KP2008", "Scheme without steps",
			"The plan's scheme is known to the language, but this version of kplan cannot carry it out.",
			"Use a scheme that is built."},
		{"KP2009", "Gate holds up a wave",
			"The gate stands before one service of several that move together, since they share the writing of a topic or a group. The others do not wait for it: they stop, and stay stopped for as long as the gate is closed.",
			"Put the gate before the phase, or before a service that moves alone."},
		{"KP2010", "Principal shared between waves",
			"The fence denies a stopped producer's principal to write. A service that uses the same principal and does not move together with it would be cut off as well (R8).",
			"Give each service a principal of its own on the source, or write fence = \"none\"."},
	}
}
