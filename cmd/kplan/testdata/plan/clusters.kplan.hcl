variable "old" { type = list(string) }
variable "new" { type = list(string) }

cluster "old" { bootstrap = var.old }
cluster "new" { bootstrap = var.new }
