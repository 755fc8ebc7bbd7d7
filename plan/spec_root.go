package plan

func specKplan() BlockSpec {
	return BlockSpec{
		Type: "kplan", Doc: "Settings of the plan as a whole.",
		Attrs: []AttrSpec{
			{Name: "required_version", Kind: KindVersion, Doc: "The versions of kplan that may run this plan, such as \">= 0.1\"; unreleased builds satisfy it, with a note."},
		},
	}
}

func specState() BlockSpec {
	return BlockSpec{
		Type: "state", Variant: "file", Doc: "Keeps what kplan has done in a directory.",
		Attrs: []AttrSpec{
			{Name: "path", Kind: KindString, Default: ".kplan", Doc: "The directory, relative to the plan's."},
		},
	}
}

func specStateKafka() BlockSpec {
	return BlockSpec{
		Type: "state", Variant: "kafka", Doc: "Keeps what kplan has done in a compacted topic, _kplan.MIGRATION, shared by all machines.",
		Attrs: []AttrSpec{
			{Name: "cluster", Kind: KindCluster, Required: true, Doc: "The cluster that holds the topic; better not the target, which may be what is lost (R19)."},
			{Name: "replication_factor", Kind: KindInt, Default: "3, or as many as there are brokers", Doc: "Replicas of the topic, when kplan creates it."},
		},
	}
}

func specVariable() BlockSpec {
	return BlockSpec{
		Type: "variable", Labels: []string{"NAME"}, Many: true, Doc: "Declares a value that is given from outside, as var.NAME.",
		Attrs: []AttrSpec{
			{Name: "type", Kind: KindType, Default: "any", Doc: "The type: string, number, bool, list(string), map(string), object({...}), any."},
			{Name: "default", Kind: KindAny, Doc: "The value when none is given; without a default a value must be given."},
			{Name: "sensitive", Kind: KindBool, Default: "false", Doc: "The value is a secret: it is never shown, and is given by KPLAN_VAR_NAME, env() or file() only."},
			{Name: "description", Kind: KindString, MayBeNil: true, Doc: "What the value is for."},
		},
	}
}

func specLocals() BlockSpec {
	return BlockSpec{Type: "locals", Many: true, Free: true, Doc: "Names values for use in the plan, as local.NAME."}
}

func specCluster() BlockSpec {
	listener := []AttrSpec{
		{Name: "bootstrap", Kind: KindStrings, Required: true, Doc: "Addresses to begin with, as host:port."},
	}
	return BlockSpec{
		Type: "cluster", Labels: []string{"NAME"}, Many: true, Doc: "A Kafka cluster, and the listener that kplan itself uses.",
		Attrs: append(listener[:1:1], AttrSpec{
			Name: "cluster_id", Kind: KindString, Default: "any", Doc: "The id that the cluster must report; kplan refuses to run against anything else.",
		}),
		Blocks: []BlockSpec{
			specTLS(), specSASL(),
			{
				Type: "listener", Labels: []string{"NAME"}, Many: true,
				Doc:    "A further listener: checked, and handed to the services that name it.",
				Attrs:  listener,
				Blocks: []BlockSpec{specTLS(), specSASL()},
			},
			{
				Type: "capacity", Doc: "What the cluster must have as a target, and what its brokers cannot tell about themselves.",
				Attrs: []AttrSpec{
					{Name: "racks", Kind: KindInt, Doc: "Availability zones (broker.rack) that the brokers, and the replicas of every selected topic, must span."},
					{Name: "disk_bytes", Kind: KindInt, NoMax: true, Doc: "Disk of all brokers together; where brokers tell theirs as well (3.3 and newer), the smaller counts."},
					{Name: "headroom", Kind: KindNumber, Default: "1.2", Doc: "By how much the disk must exceed what the topics need, as a factor."},
				},
			},
			{
				Type: "authorizer", Doc: "What the cluster's authorizer does and its brokers do not tell.",
				Attrs: []AttrSpec{
					{Name: "allow_everyone", Kind: KindBool, Required: true, Doc: "Whether allow.everyone.if.no.acl.found is true on the brokers: then the first rule on a topic shuts everybody else out (R8)."},
				},
			},
		},
	}
}

func specTLS() BlockSpec {
	return BlockSpec{
		Type: "tls", Doc: "Speaks TLS; without it the connection is plain.",
		Attrs: []AttrSpec{
			{Name: "ca_file", Kind: KindPath, Default: "the system's roots", Doc: "Certificates (PEM) that sign the brokers'."},
			{Name: "cert_file", Kind: KindPath, Doc: "The client's certificate (PEM), for mutual TLS; needs key_file."},
			{Name: "key_file", Kind: KindPath, Doc: "The key (PEM) of cert_file."},
			{Name: "server_name", Kind: KindString, Default: "the broker's host", Doc: "The name that the brokers' certificates must carry."},
			verified("insecure_skip_verify"), verified("insecure"), verified("skip_verify"), verified("verify"),
		},
	}
}

// verified is a switch that other programs have and kplan will not.
func verified(name string) AttrSpec {
	return AttrSpec{
		Name: name, Kind: KindBool, Doc: "Would take any certificate.",
		Never: "Whoever stands between would get the credentials and the records. For certificates of your own authority, or self-signed ones, give ca_file; where the name does not match the address, give server_name.",
	}
}

func specSASL() BlockSpec {
	return BlockSpec{
		Type: "sasl", Doc: "Authenticates with SASL.",
		Attrs: []AttrSpec{
			{Name: "mechanism", Kind: KindEnum, Required: true, Doc: "How the client proves who it is.", Values: []ValueSpec{
				{Value: "PLAIN", Doc: "Sends the password; use it with TLS."},
				{Value: "SCRAM-SHA-256", Doc: "RFC 5802."},
				{Value: "SCRAM-SHA-512", Doc: "RFC 5802."},
				{Value: "OAUTHBEARER", Doc: "A token of an OpenID Connect issuer (KIP-768), got with client credentials."},
				{Value: "GSSAPI", Doc: "Kerberos.", Never: "It would need Kerberos' own configuration and tickets on every machine. Use a listener with SCRAM, OAUTHBEARER or mutual TLS."},
				{Value: "AWS_MSK_IAM", Doc: "Signatures of one vendor.", Never: "It works with one vendor's brokers alone. They offer SCRAM-SHA-512 (port 9096) and mutual TLS (port 9094) as well; use one of those."},
				{Value: "SCRAM-SHA-1", Doc: "RFC 5802.", Never: "Kafka never had it. Use SCRAM-SHA-512."},
				{Value: "EXTERNAL", Doc: "The client's certificate.", Never: "Kafka has it without SASL: leave the sasl block out, and give cert_file and key_file in the tls block."},
			}},
			{Name: "username", Kind: KindString, Doc: "The user; of PLAIN and SCRAM."},
			{Name: "password", Kind: KindString, Sensitive: true, Doc: "The password, through env() or file(); of PLAIN and SCRAM."},
			{Name: "token_url", Kind: KindString, Doc: "The issuer's token endpoint (https); of OAUTHBEARER."},
			{Name: "client_id", Kind: KindString, Doc: "Who kplan is to the issuer; of OAUTHBEARER."},
			{Name: "client_secret", Kind: KindString, Sensitive: true, Doc: "Its secret, through env() or file(); of OAUTHBEARER."},
			{Name: "scopes", Kind: KindStrings, MayBeNil: true, Doc: "The scopes to ask for; of OAUTHBEARER."},
			{Name: "ca_file", Kind: KindPath, Default: "the system's roots", Doc: "Certificates (PEM) that sign the issuer's; of OAUTHBEARER."},
		},
	}
}
