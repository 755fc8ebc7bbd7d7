# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_later" {}
  topics { include = ["orders.*"] }
  mirror { run = "worker" } # ERROR KP1204: would process the mirrored records
}
