cluster {                         # ERROR KP1208: cluster "NAME"
  bootstrap = ["a:9092"]
}
cluster "a" "b" {                 # ERROR KP1208: one label too many
  bootstrap = ["a:9092"]
}
state { path = "x" }              # ERROR KP1208: chooses its kind: "file"
state "fil" { path = "x" }        # ERROR KP1202: Did you mean "file"?
locals "x" {}                     # ERROR KP1208: one label too many
migration "orders" {
  source = cluster.old            # ERROR KP1301: no cluster "old"
  target = cluster.new            # ERROR KP1301: Add a cluster block
  scheme "production_frist" {}    # ERROR KP1202: Did you mean "production_first"?
  topics { include = ["x"] }
}
