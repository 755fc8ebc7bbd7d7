# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "stop_drain_start" {} # ERROR KP1204: Use scheme "production_first"
  topics {
    include = ["orders.*"]
    topic "orders.audit" { writers = "split" } # ERROR KP1204: knows writers
    topic "orders.b" { offsets = "translate" } # ERROR KP1203: It belongs in mirror or topic of mirror
    topic "orders.c" { stray = "copy" } # ERROR KP1204: knows stray
  }
  mirror { offsets = "preserve" } # ERROR KP1204: Write offsets = "translate"
  verify { level = "content" }    # ERROR KP1204: Use level = "offsets"
}
