# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  service "a" {
    for_each          = ["x"]      # ERROR KP1204: one by one
    produces          = ["orders.a"]
    transactional_ids = ["t"]      # ERROR KP1204: knows transactional_ids
    groupless         = true       # ERROR KP1204: knows groupless
    positions         = "external" # ERROR KP1204: knows positions
    state             = "wipe"     # ERROR KP1204: knows state
    switch "http" {}               # ERROR KP1204: knows switch "http"
  }
  service "b" {
    produces = ["orders.b"]
    switch "kubernetes" {} # ERROR KP1204: calls kubectl
  }
  verify { level = "counts" } # ERROR KP1204: knows level = "counts"
}
