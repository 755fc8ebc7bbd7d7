# WITH clusters
migration "orders/2024" { # ERROR KP1215: letters, digits
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
}
