# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = ["/.*/"]
    exclude = ["/__.*/", "__*", "__consumer_offsets"] # ERROR KP1403: patterns never match
  }
}
