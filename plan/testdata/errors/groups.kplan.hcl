# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups {
    include = ["orders-*", "old-report"] # ERROR KP1406: included by its full name and ignored
    ignore "old-report" { reason = "" } # ERROR KP1214: reason is empty
    ignore "orders-b" { reason = "gone" }
    group "other" { uncommitted = "earliest" } # ERROR KP1405: has settings
    group "orders-x" { uncommitted = "newest" } # ERROR KP1210: It can be "earliest", "latest" or "fail"
    group "orders-y" { beyond_end = "start" } # ERROR KP1210: It can be "end" or "fail"
    group "orders-b" {} # ERROR KP1406: is ignored as well
    group "" {} # ERROR KP1405: has settings
  }
  service "a" {
    consumes = ["orders.a"]
    groups   = ["orders-b", "billing"] # ERROR KP1406: belongs to a service # ERROR KP1405: belongs to a service
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
}
