package plan

func specACLs() BlockSpec {
	return BlockSpec{
		Type: "acls", Doc: "The access rules that the target is to have like the source: missing ones are created, others are left alone.",
		Attrs: []AttrSpec{
			{Name: "include", Kind: KindPatterns, Required: true, Doc: "Principals whose rules move, such as \"User:orders-*\"."},
		},
		Blocks: []BlockSpec{{
			Type: "principal", Labels: []string{"PRINCIPAL"}, Many: true, Doc: "Settings of one principal.",
			Attrs: []AttrSpec{{Name: "becomes", Kind: KindString, Required: true, Doc: "Its name on the target, with its type: \"User:orders-new\"."}},
		}},
	}
}

func specQuotas() BlockSpec {
	return BlockSpec{
		Type: "quotas", Doc: "The client quotas that the target is to have like the source: missing ones are set, none is removed.",
		Attrs: []AttrSpec{
			{Name: "include", Kind: KindPatterns, Required: true, Doc: "Whose quotas move: users as \"User:NAME\", client ids and addresses as they are, defaults as \"<default>\". A quota of a user with a client id goes by its user."},
			{Name: "existing", Kind: KindEnum, Default: "report", Doc: "What to do about quotas that the target has with another value and kplan did not set.", Values: []ValueSpec{
				{Value: "report", Doc: "Say what differs."},
				{Value: "alter", Doc: "Change them."},
			}},
		},
	}
}

func specUser() BlockSpec {
	return BlockSpec{
		Type: "user", Labels: []string{"NAME"}, Many: true, Doc: "A SCRAM user to create on the target when it is missing there. Kafka never tells passwords, so each is given anew.",
		Attrs: []AttrSpec{
			{Name: "mechanism", Kind: KindEnum, Required: true, Doc: "How the user proves who it is.", Values: []ValueSpec{
				{Value: "SCRAM-SHA-256", Doc: "RFC 7677."},
				{Value: "SCRAM-SHA-512", Doc: "The same with SHA-512."},
			}},
			{Name: "iterations", Kind: KindInt, Min: "4096", Default: "the source's, or 4096", Doc: "How often the password is hashed, from 4096 to 16384 (KIP-554)."},
			{Name: "password", Kind: KindString, Required: true, Sensitive: true, Doc: "The password, through env() or file()."},
		},
	}
}
