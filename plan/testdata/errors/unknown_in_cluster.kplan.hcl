# WITH migration
cluster "old" {
  bootstrp = ["a:9092"] # ERROR KP1203: Did you mean "bootstrap"?
  bootstrap = ["a:9092"]
  tls { ca_fil = "x" } # ERROR KP1203: Did you mean "ca_file"?
  listner "x" { bootstrap = ["a:9093"] } # ERROR KP1201: Did you mean "listener"?
}
cluster "new" {
  bootstrap = ["b:9092"]
  drain_timeout = "2h" # ERROR KP1203: It belongs in scheme.
}
