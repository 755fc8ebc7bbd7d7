# WITH clusters migration
variable "ns" { type = string } # ERROR KP1102: --var ns=VALUE
variable "pw" { # ERROR KP1102: Set KPLAN_VAR_pw
  sensitive = true
}
state "file" { path = var.ns }
