# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  verify { level = 3 } # ERROR KP1210: cannot be "3"
  service "a" {
    produces = "orders.a"            # ERROR KP1209: Put the value in brackets
    switch "exec" {
      stop    = "ops/svc stop"       # ERROR KP1209: Put the value in brackets
      start   = { a = 1 }            # ERROR KP1209: a list of text
      check   = ["ops/svc", ["x"]]   # ERROR KP1209: text in each element
      timeout = 300                  # ERROR KP1209: text with a unit
    }
  }
  service "b" {
    produces = ["orders.b"]
    listener = ["x"]                 # ERROR KP1209: listener takes text
    switch "manual" {
      stop    = []                   # ERROR KP1209: stop takes text
      start   = "   "                # ERROR KP1214: start is empty
      timeout = "soon"               # ERROR KP1212: timeout
    }
  }
}
