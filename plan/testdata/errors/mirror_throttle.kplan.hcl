# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  mirror {
    throttle { bytes_per_second = -1 } # ERROR KP1211: is -1, and must be at least 1024
    throttle { bytes_per_second = 0 }  # ERROR KP1207: only one throttle here
  }
  mirror {} # ERROR KP1207: only one mirror here
}
