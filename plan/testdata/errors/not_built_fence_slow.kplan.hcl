# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_later" { fence = "slow" } # ERROR KP1204: so it is no fence
  topics { include = ["orders.*"] }
}
