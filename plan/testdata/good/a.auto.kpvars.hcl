ns      = "overridden"
brokers = ["a.old.example:9094", "b.old.example:9094"]
days    = 13
