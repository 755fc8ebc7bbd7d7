# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  sasl {
    mechanism = "scram-sha-512" # ERROR KP1210: Did you mean "SCRAM-SHA-512"?
    username  = "kplan"
    password  = env("KAFKA_PASSWORD")
  }
}
cluster "new" {
  bootstrap = ["b:9092"]
  sasl {
    mechanism = "DIGEST-MD5" # ERROR KP1210: It can be "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" or "OAUTHBEARER"
    user      = "kplan"  # ERROR KP1203: Did you mean "username"?
    username  = "kplan"
    pasword   = "canary-misspelt" # ERROR KP1203: Did you mean "password"?
    password  = env("KAFKA_PASSWORD")
  }
}
