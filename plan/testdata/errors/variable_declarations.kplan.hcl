# WITH clusters migration
variable "a" {
  type    = "string" # ERROR KP1105: without quotes
  default = "x"
}
variable "b" {
  type    = text # ERROR KP1105: This is not a type
  default = "x"
}
variable "c" {
  default = var.b # ERROR KP1105: cannot refer to other values
}
variable "2d" { # ERROR KP1215: begins with a letter
  default = "x"
}
variable "a" { default = "y" } # ERROR KP1216: already, at variable_declarations.kplan.hcl:2
