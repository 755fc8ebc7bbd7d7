# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  service "a" {
    produces = ["orders.a"]
    switch "exec" {
      stop    = ["ops/missing", "stop"] # ERROR KP1505: no program "ops/missing"
      start   = ["ops/notes.txt"]       # ERROR KP1506: chmod +x ops/notes.txt
      check   = ["./ops"]               # ERROR KP1506: is a directory
      timeout = "0s"                    # ERROR KP1601: at least 1s
    }
  }
  service "b" {
    produces = ["orders.a"]
    switch "exec" {
      stop  = []                  # ERROR KP1214: stop is empty
      start = [""]                # ERROR KP1214: empty element
      check = ["anything", "x"]
    }
    switch "manual" { # ERROR KP1207: only one switch
      stop  = "x"
      start = "y"
    }
  }
  service "c" {
    produces = ["orders.a"]
    switch "exce" {} # ERROR KP1202: Did you mean "exec"?
  }
}
