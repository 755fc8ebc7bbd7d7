# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = ["orders.*"]
    parity { replication_factor = 2.5 } # ERROR KP1209: a whole number
  }
}
