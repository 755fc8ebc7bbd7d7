# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  mirror {}
  service "mirror" {
    produces = ["orders.events"]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }

  gate "a" {
    before  = "prepare"
    max_lag = 10 # ERROR KP1809: it begins behind the gate "a"
  }
  gate "b" {
    before  = "mirror" # WARNING KP1804: is a phase and a service
    max_lag = 10 # ERROR KP1809: Put the gate before "switch" or a service
  }
  gate "c" {
    before = "miror" # ERROR KP1803: Did you mean "mirror"? A gate stands before "prepare", "mirror" or "switch"
    soak   = "1h"
  }
}
