# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {
    drain_timeout = "2 hours" # ERROR KP1212: is not a duration
    quiet_for     = "500ms"   # ERROR KP1601: at least 1s
    fence         = "nnoe"    # ERROR KP1210: Did you mean "none"?
  }
  topics { include = ["orders.*"] }
}
