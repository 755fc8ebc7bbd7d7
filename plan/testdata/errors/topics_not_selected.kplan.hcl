# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = ["orders.*", "payments"]
    exclude = ["*.tmp"]
    topic "other" {} # ERROR KP1404: has settings
  }
  groups { include = ["orders-*"] }
  service "a" {
    consumes = ["paymets", "orders.x.tmp"] # ERROR KP1404: Did you mean "payments"? # ERROR KP1404: topics.exclude removes it by "*.tmp"
    produces = ["shipping", "orders.*", "__transaction_state"] # ERROR KP1404: Add it there # ERROR KP1408: is a pattern # ERROR KP1403: an internal topic
    groups   = ["orders-a"]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
}
