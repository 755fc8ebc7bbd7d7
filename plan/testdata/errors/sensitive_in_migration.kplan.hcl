# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  topics { # ERROR KP1207: only one topics here
  }
  waive "connect" { reason = env("KAFKA_PASSWORD") } # ERROR KP1114: reason cannot
  service "a" {
    produces = [env("KAFKA_PASSWORD")] # ERROR KP1114: produces cannot
    switch "exec" {
      stop  = ["ops/svc", env("KAFKA_PASSWORD")] # ERROR KP1114: stop cannot
      start = ["ops/svc"]
      check = ["ops/svc"]
    }
  }
  service "b" {
    produces = ["orders.b"]
    switch "manual" {
      stop  = "Log in with ${env("KAFKA_PASSWORD")}." # ERROR KP1114: shown to people
      start = "Go."
    }
  }
}
