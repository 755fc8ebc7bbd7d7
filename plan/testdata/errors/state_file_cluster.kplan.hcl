# WITH clusters migration
state "file" {
  cluster = cluster.old # ERROR KP1203: There is no argument "cluster" in state "file". It belongs in state "kafka".
}
