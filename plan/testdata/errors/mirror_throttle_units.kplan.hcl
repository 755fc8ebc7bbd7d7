# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  mirror {
    throttle { bytes_per_second = "80MiB" } # ERROR KP1209: a whole number
  }
}
