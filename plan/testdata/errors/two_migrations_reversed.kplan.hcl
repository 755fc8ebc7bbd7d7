# WITH clusters
migration "a" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  scheme "production_later" {} # ERROR KP1207: only one scheme
  topics { include = ["a.*"] }
}
