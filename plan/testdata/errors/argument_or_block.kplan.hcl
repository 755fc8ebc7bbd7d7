# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  tls = { ca_file = "x" } # ERROR KP1213: tls { ... }
}
cluster "new" {
  bootstrap { } # ERROR KP1213: bootstrap = ...
}
migration = "x" # ERROR KP1213: migration "NAME" { ... }
