# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = [
      "orders.*",
      "^orders",            # WARNING KP1402: write "/orders/"
      ".*payments",         # WARNING KP1402: taken as a glob
      "a\\.b",              # WARNING KP1402: write "/a\\.b/"
      "/a)|(b/",            # ERROR KP1401: not a regular expression
      "/(/",                # ERROR KP1401: not a regular expression
      "a b",                # ERROR KP1401: can match no topic
      "",                   # ERROR KP1214: empty element
      "__consumer_offsets", # ERROR KP1403: an internal topic
      "/.*/",               # ERROR KP1403: matches __consumer_offsets
    ]
    exclude = ["/.*\\.tmp/", "^x$"] # WARNING KP1402: write "/x/"
  }
  groups { include = ["(a|b)-x"] } # WARNING KP1402: taken as a glob
}
