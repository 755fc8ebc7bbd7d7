# WITH migration
variable "bootstrap" { default = ["a:9092"] }
cluster "old" { bootstrap = var.bootstrp } # ERROR KP1101: Did you mean var.bootstrap?
cluster "new" { bootstrap = ["b:9092"] }
