# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  waive "order.kpt" { reason = "known" } # ERROR KP1701: Did you mean "order.kept"?
  waive "connect" {}                     # ERROR KP1205: needs the argument reason
  waive "order.kept" { reason = "" }     # ERROR KP1214: reason is empty
  waive "order.kept" { reason = "x" }    # ERROR KP1216: already
  verify { level = "ofsets" }            # ERROR KP1210: Did you mean "offsets"?
}
