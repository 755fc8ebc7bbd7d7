cluster "old" {
  bootstrap = ["a:9092"]
  listener "tls" { bootstrap = ["a:9093"] }
}
cluster "new" { bootstrap = ["b:9092"] }
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  service "a" {
    produces = ["orders.a"]
    listener = "tls" # ERROR KP1504: The cluster "new" has no listener "tls"
    switch "manual" {
      stop  = "Stop."
      start = "Use ${side.bootstrap}."
    }
  }
  service "b" {
    produces = ["orders.a"]
    listener = "tsl" # ERROR KP1504: Did you mean "tls"? # ERROR KP1504: The cluster "new"
    switch "manual" {
      stop  = "Stop."
      start = "Use ${side.bootstrp}." # ERROR KP1108: Did you mean "bootstrap"?
    }
  }
}
