# WITH migration
cluster "old" {
  bootstrap  = ["a:9092"]
  cluster_id = "same"
}
cluster "new" { # ERROR KP1307: the same cluster_id
  bootstrap  = ["b:9092"]
  cluster_id = "same"
}
