# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = ["*", "_kplan.*"] # ERROR KP1403: kplan keeps its state
    topic "_kplan.orders" {}    # ERROR KP1403: kplan keeps its state
  }
  service "billing" {
    produces = ["_kplan.orders"] # ERROR KP1403: kplan keeps its state
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }
}
