# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  service "billing" {
    produces = ["orders.events"]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }

  gate "a" {
    before  = "swich" # ERROR KP1803: Did you mean "switch"?
    max_lag = 0
  }
  gate "b" {
    before  = "biling" # ERROR KP1803: Did you mean "billing"?
    max_lag = 10
  }
  gate "c" {
    before  = "frobnicate" # ERROR KP1803: A gate stands before "prepare" or "switch", or before a service
    max_lag = 10
  }
  gate "d" {
    before  = "mirror" # ERROR KP1803: this plan has no mirror block
    max_lag = 10
  }
  gate "e" {
    before  = "complete" # ERROR KP1204: leave the gate out
    max_lag = 10
  }
  gate "f" { max_lag = 10 } # ERROR KP1205: needs the argument before
  gate "g" { # ERROR KP1801: The gate "g" has no condition
    before  = "billing"
    max_lag = null
  }
  gate "a" { # ERROR KP1216: There is a gate "a" already
    before = "billing"
    approval "sre" {}
    approval "sre" {} # ERROR KP1216: There is an approval "sre" already
  }
  gate "a b" { # ERROR KP1215: no name for a gate
    before = ""   # ERROR KP1214: before is empty
    approval "x.y" {} # ERROR KP1215: no name for an approval
  }
}
