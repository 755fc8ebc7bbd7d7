cluster "old" {
  bootstrap = ["a:9092" # ERROR(+1) KP1003: Missing item separator
  cluster_id = "x"
}
cluster "new" { bootstrap = ["b:9092"] ; } # ERROR KP1003: Invalid character
