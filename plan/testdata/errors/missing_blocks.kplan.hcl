# WITH clusters
migration "orders" { # ERROR KP1206: scheme "production_first" or scheme "production_later" # ERROR KP1206: needs a topics block # ERROR KP1205: the argument source
  target = cluster.new
  service "a" { # ERROR KP1206: switch "exec" or switch "manual"
    produces = ["orders.a"]
  }
}
