package plan

// codesDiff lists KP30xx, what plan/diff reports.
func codesDiff() []CodeInfo {
	return []CodeInfo{
		{"KP3001", "Order is not kept",
			"With production_later the target's consumers read new records while the source's still read old ones. Where records of one key follow each other, or a topic is compacted, a later record can be handled before an earlier one.",
			"Use production_first, or say that the order does not matter: waive \"order.kept\" { reason = ... }."},
		{"KP3002", "Short watch for stragglers",
			"Without a fence nothing but time tells that a stopped producer is gone: its last requests may still be retried. quiet_for is shorter than the whole watch of 5m30s (R6), so the producers may start on the target while an old record still arrives on the source.",
			"Leave quiet_for out, or make sure that the producers' delivery timeout is shorter than it."},
		{"KP3003", "No fence",
			"fence = \"none\": no ACL keeps a writer out of the side that it has left (R8). kplan watches for such records and names the writer; it cannot refuse them.",
			"Make sure that nothing starts the stopped services again: autoscalers, GitOps, cron."},
		{"KP3004", "Group type not built yet",
			"Share groups (KIP-932) and Streams groups (KIP-1071) keep more than positions, which kplan cannot move yet. Moving only the positions would lose the rest without a word.",
			"Move the service by hand, or use a classic or consumer (KIP-848) group."},
		{"KP3005", "Group reads more than the plan says",
			"Members of the group are assigned topics that its services do not name in consumes. Once moved, the group no longer reads them on the source, and kplan has neither drained them nor placed their offsets (R11).",
			"Add the topics to consumes and topics.include, or end the subscription."},
		{"KP3006", "Group beyond the log end",
			"The group has committed an offset on the source that lies beyond the end of the log there, as after a topic was deleted and made anew. Its consumers would fall back to auto.offset.reset; what they have read of the new log nobody knows, and no place on the target belongs to that offset (R9).",
			"Reset the offset on the source while the group is stopped, or say that the group has read everything: groups { group \"NAME\" { beyond_end = \"end\" } }."},
	}
}
