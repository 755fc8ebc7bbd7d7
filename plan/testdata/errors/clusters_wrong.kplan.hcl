# WITH clusters
migration "orders" {
  source = cluster.odl      # ERROR KP1301: Did you mean cluster.old?
  target = "new"            # ERROR KP1209: Did you mean cluster.new?
  scheme "production_first" {}
  topics { include = ["orders.*"] }
}
