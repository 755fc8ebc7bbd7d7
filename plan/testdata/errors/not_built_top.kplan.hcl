# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  sasl {
    mechanism = "OAUTHBEARER" # ERROR KP1204: Use a listener with SCRAM
    username  = "u"
    password  = env("KAFKA_PASSWORD")
  }
}
cluster "new" { bootstrap = ["b:9092"] }
dynamic "cluster" { for_each = [] } # ERROR KP1204: one by one
