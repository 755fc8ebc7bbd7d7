# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_later" { fence = "acl" } # ERROR KP1204: Use fence = "none"
  topics { include = ["orders.*"] }
}
