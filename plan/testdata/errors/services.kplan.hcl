# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  service "idle" { # ERROR KP1503: neither produces nor consumes
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
  service "reader" {
    consumes = ["orders.a"] # ERROR KP1501: names no consumer group
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
  service "grouped" {
    produces = ["orders.a", "orders.a"] # ERROR KP1507: lists "orders.a" twice
    groups   = ["orders-a"]  # ERROR KP1502: no topics that they read
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
  service "a b" { # ERROR KP1215: letters, digits
    produces = ["orders.a"]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
  service "idle" { # ERROR KP1216: already
    produces = ["orders.a"]
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
}
