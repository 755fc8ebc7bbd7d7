package plan

// codesClusters lists KP13xx.
func codesClusters() []CodeInfo {
	return []CodeInfo{
		{"KP1301", "Unknown cluster",
			"source and target name a cluster block of the plan, as cluster.NAME.",
			"Correct the name, or add the cluster."},
		{"KP1302", "Source and target are the same cluster",
			"A migration moves from one cluster to another. With one cluster as both, topics would be compared with themselves.",
			"Name two clusters."},
		{"KP1303", "Invalid bootstrap address",
			"A bootstrap address is host:port, one per list element, without a protocol: TLS and SASL are blocks of their own.",
			"Write the address as host:port."},
		{"KP1304", "Duplicate bootstrap address",
			"The same address stands twice in one list, or in two clusters. In two clusters it would make them one and the same.",
			"Remove or correct one."},
		{"KP1305", "TLS file cannot be used",
			"The path, relative to the plan's directory, does not lead to a file, or the key in it is encrypted, which this version of kplan does not read.",
			"Check the path; decrypt the key (openssl pkey) into a file that nobody else may read."},
		{"KP1306", "Incomplete client certificate",
			"Mutual TLS needs a certificate and its key.",
			"Give both cert_file and key_file, or neither."},
		{"KP1307", "Duplicate cluster id",
			"Two clusters of the plan state the same id, so they are one and the same cluster.",
			"Correct one of the ids."},
		{"KP1308", "Credentials do not fit the mechanism",
			"PLAIN and SCRAM log in with username and password, OAUTHBEARER with a token that kplan gets from token_url as client_id with client_secret.",
			"Give what the mechanism needs, and only that."},
		{"KP1309", "Invalid token_url",
			"The client secret is sent there, so it must be https; http is taken on the loopback interface only, for tests.",
			"Write the address of the issuer's token endpoint, such as \"https://issuer.example/oauth2/token\"."},
	}
}

// codesSelection lists KP14xx: topics, groups and patterns.
func codesSelection() []CodeInfo {
	return []CodeInfo{
		{"KP1401", "Invalid pattern",
			"A pattern is a glob over the whole name (* is any text, also across dots; ? is one character) or a regular expression between slashes, in Go's RE2 syntax.",
			"Correct the pattern."},
		{"KP1402", "Pattern looks like a regular expression",
			"The pattern is a glob, but has the look of a regular expression, and would then match other names than meant.",
			"Put a regular expression between slashes (\"/orders-.*/\"), or write the glob without its signs."},
		{"KP1403", "Internal topic selected",
			"Topics such as __consumer_offsets are what a cluster, or a tool that watches it, keeps for itself; copying one over the other destroys offsets or transactions. Other names that begin with __ are topics like any other. Names that begin with _kplan. are where kplan keeps its state.",
			"Take it out; kplan moves consumer positions itself."},
		{"KP1404", "Topic not selected",
			"The plan uses a topic that topics.include does not cover, or that topics.exclude removes, so it would not exist on the target as the plan means it.",
			"Add it to include, or remove its use."},
		{"KP1405", "Group not selected",
			"The plan uses a consumer group that groups.include does not cover, so its offsets would not be moved.",
			"Add it to include, or remove its use."},
		{"KP1406", "Group used and ignored",
			"The plan both uses a consumer group (by its full name) and ignores it.",
			"Decide for one."},
		{"KP1407", "Unusual config key",
			"The key is close to a well-known topic config of Kafka, but not the same. Kafka may know configs that kplan does not, so this is no error.",
			"Check the spelling."},
		{"KP1408", "Invalid topic name",
			"Kafka's topic names have 1 to 249 letters, digits, dots, underscores and hyphens.",
			"Correct the name. Services name topics in full, without patterns."},
		{"KP1409", "Invalid principal",
			"Kafka's principals are a type and a name, such as User:orders. SCRAM users are named without the type.",
			"Write the name as the message shows it."},
		{"KP1410", "Principal not selected",
			"The plan says how a principal is called on the target, but acls.include does not cover it, so its rules would not move.",
			"Add it to include, or remove the block."},
		{"KP1411", "Invalid name of a SCRAM user",
			"At a login brokers take names of ASCII characters only (RFC 5802 as Kafka reads it), so a user with another name could be created and never log in.",
			"Choose another name."},
	}
}

// codesServices lists KP15xx.
func codesServices() []CodeInfo {
	return []CodeInfo{
		{"KP1501", "Consuming service without groups",
			"The service consumes topics but names no consumer group, so kplan could neither see it drain nor place its offsets.",
			"Name its groups."},
		{"KP1502", "Groups of a service that consumes nothing",
			"The service names consumer groups but no topics that they read.",
			"Name the topics in consumes, or remove the groups."},
		{"KP1503", "Service does nothing",
			"The service neither produces nor consumes, so there is nothing to order its move by.",
			"Name its topics, or remove the service."},
		{"KP1504", "Unknown listener",
			"The service's clients use a listener that source or target does not have, so there would be no address to give them.",
			"Correct the name, or add the listener to both clusters."},
		{"KP1505", "Program not found",
			"The first word of a command contains a slash, so it is a path relative to the plan's directory, and there is no such file.",
			"Check the path. A word without a slash is looked up in PATH."},
		{"KP1506", "Program cannot be executed",
			"The file exists but is not executable, or is a directory.",
			"Make it executable (chmod +x)."},
		{"KP1507", "Listed twice",
			"The same name stands twice in one list.",
			"Remove one."},
		{"KP1508", "Invalid principal",
			"Principals are who the service is on the source, as Kafka's authorizer sees it: a kind and a name, such as User:orders. User:* is everybody, and no service.",
			"Write User: and the name with which the service logs in; with TLS certificates that is the distinguished name."},
	}
}

// codesRest lists KP16xx (schemes) and KP17xx (waivers, verify and state).
func codesRest() []CodeInfo {
	return []CodeInfo{
		{"KP1601", "Duration too short",
			"The duration is below what can be measured or can work at all.",
			"Choose a longer one."},
		{"KP1602", "Fence without principals",
			"With fence = \"acl\" kplan denies the stopped producers to write on the source. A service that produces and does not say who it is there could write on (R8).",
			"Name its principals, or write fence = \"none\" and let kplan watch for longer."},
		{"KP1603", "Principal that must not be fenced",
			"A DENY rule for this principal would stop others than the service: kplan itself, or every client that does not log in (R8).",
			"Give the service a principal of its own, or write fence = \"none\"."},
		{"KP1701", "Unknown check",
			"waive names a check, and there is no check of that name. A waiver for nothing would look like one that counts.",
			"Correct the name."},
		{"KP1702", "Invalid state path",
			"The state path exists but is not a directory.",
			"Choose another path."},
		{"KP1703", "State on the target alone",
			"The state says which service and which topic is on which side. On the target it would be lost together with the cluster that the way back leads away from (R19).",
			"Keep the state on the source or on a third cluster."},
	}
}
