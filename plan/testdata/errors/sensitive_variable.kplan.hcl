# WITH clusters migration
# VAR b=canary-on-the-command-line
variable "a" {
  sensitive = true
  default   = "canary-default" # ERROR KP1115: set KPLAN_VAR_a
}
variable "b" { # ERROR@- KP1116: --var shows its value
  sensitive = true
}
variable "c" {
  sensitive = "perhaps" # ERROR KP1209: true or false
  default   = "x"
}
