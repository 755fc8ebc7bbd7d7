# WITH migration
cluster "old" {
  bootstrap = ["a:9092", "b:9092", "A:9092"] # ERROR KP1304: in this list already
}
cluster "new" { # ERROR KP1304: an address of the cluster "old" as well
  bootstrap = ["b:9092"]
}
