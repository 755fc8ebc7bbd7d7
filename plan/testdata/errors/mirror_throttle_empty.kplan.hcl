# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  mirror {
    throttle {} # ERROR KP1205: throttle needs the argument bytes_per_second
  }
}
