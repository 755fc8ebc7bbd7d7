# WITH clusters migration
migration "payments" { # ERROR KP1207: a directory of its own
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["payments.*"] }
}
kplan {}
kplan {} # ERROR KP1207: only one kplan here
