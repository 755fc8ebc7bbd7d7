# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  service "switch" {
    produces = ["orders.events"]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }

  gate "a" {
    before = "switch" # WARNING KP1804: a phase and a service
    soak   = "1h"
  }
}
