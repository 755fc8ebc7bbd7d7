# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  gate "hold" {
    before = "switch"
    hold   = "10m" # ERROR KP1802: the gate "hold" has none
    approval "sre" {}
  }
  gate "soak" {
    before = "prepare"
    soak   = "1h" # ERROR KP1805: Nothing comes before the phase prepare
  }
  gate "never" {
    before  = "switch"
    max_lag = 10
    hold    = "1h" # ERROR KP1808: gives up after 1h (the default of timeout)
  }
  gate "hardly" {
    before  = "switch"
    max_lag = 10
    hold    = "10m"
    timeout = "5m" # ERROR KP1808: before max_lag can have held for 10m
  }
  gate "numbers" {
    before   = "switch"
    max_lag  = -1     # ERROR KP1211: must be at least 0
    hold     = "-10m" # ERROR KP1212: not a duration
    soak     = "0s"   # ERROR KP1601: at least 1s
    verified = 3600   # ERROR KP1209: text with a unit
    timeout  = "0s"   # ERROR KP1601: at least 1s
    approval "a" { expires = "0s" } # ERROR KP1601: at least 1s
    approval "b" { expires = "-8h" } # ERROR KP1212: not a duration
    approval "c" { from = ["alice", ""] } # ERROR KP1214: an empty element
    approval "d" { from = [] }      # ERROR KP1214: from is empty
    approval "e" { from = ["alice", "alice"] } # ERROR KP1507: twice
    approval "f" { others = "perhaps" } # ERROR KP1209: true or false
  }
  gate "reported" {
    before  = "switch"
    max_lag = 1.5 # ERROR KP1209: a whole number
    hold    = "1m"
  }
}
