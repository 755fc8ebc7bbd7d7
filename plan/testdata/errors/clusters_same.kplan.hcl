# WITH clusters
migration "orders" {
  source = cluster.new
  target = cluster.new # ERROR KP1302: both cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
}
