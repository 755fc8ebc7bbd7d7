# WITH migration
locals { host = env("KAFKA_PASSWORD") }
cluster "old" { bootstrap = ["${local.host}:9092"] } # ERROR KP1114: nonsensitive
cluster "new" {
  bootstrap  = ["b:9092"]
  cluster_id = env("KAFKA_PASSWORD") # ERROR KP1114: cluster_id cannot take a sensitive value
  sasl {
    mechanism = "PLAIN"
    username  = file("secrets/password") # ERROR KP1114: username cannot
    password  = file("secrets/password")
  }
}
state "file" { path = nonsensitive(env("PLAIN")) }
