package checks

func rightsEntries() []Entry {
	const asked = "The cluster is asked what kplan's principal may do on it, on each topic and with each group (KIP-430), which covers super users and defaults, and things that are not there yet; for transactional ids the access rules are read. Each row of docs/rights.md that the plan needs is judged; of what may not be described nothing is told, so there the right that brings Describe is named alone."
	verdicts := func() map[string]string {
		return map[string]string{
			"pass":    "none is missing, or there is no authorizer",
			"fail":    "one is missing: with what it is needed for and the command that grants it",
			"unknown": "brokers before 2.3 do not tell; or, of transactional ids, no rule is about them and allow.everyone.if.no.acl.found is set, whose value brokers hide and the plan does not state; or the brokers take kplan's name from a certificate or a token, so that no rule is known to be about it",
			"error":   "the cluster could not be asked",
		}
	}
	return []Entry{
		{Name: NameRightsSource, Asks: "May kplan do on the source what the plan needs?", Waivable: true, Rights: noRights, Evidence: asked, Verdicts: verdicts()},
		{Name: NameRightsTarget, Asks: "May kplan do on the target what the plan needs?", Waivable: true, Rights: noRights, Evidence: asked, Verdicts: verdicts()},
		{
			Name: NameRightsState, Asks: "May kplan keep its state in the topic?", Waivable: true, Rights: noRights,
			Evidence: asked + ` Asked where state "kafka" is on the source or on the target.`, Verdicts: verdicts(),
		},
		{
			Name: NameRightsServices, Asks: "May the services' principals do on the target what the services do?", Waivable: true, Rights: "Describe on the cluster, on both.",
			Evidence: "For each principal of a service, under its name on the target: Write on what the service produces, Read on what it consumes, Read on its groups, by the access rules of the target and those that the plan creates there. Rules for one host only are left out; super users are in no rule.",
			Verdicts: map[string]string{
				"pass":    "rules allow all of it, or there is no authorizer",
				"fail":    "no rule allows something: with the command that grants it; or a rule denies it, such as the fence of a run whose state is lost, that acls would copy",
				"unknown": "the rules cannot be read; or no rule is about a topic or group and allow.everyone.if.no.acl.found is set, whose value brokers hide and the plan does not state",
			},
		},
	}
}
