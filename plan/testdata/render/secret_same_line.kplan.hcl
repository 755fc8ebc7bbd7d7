# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  sasl { password = "canary-one" }
  sasl { user = "x" password = "canary-two" }
}
