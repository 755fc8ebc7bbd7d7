# WITH clusters migration
# VAR count=many
# VAR list=not a list
# ENV KPLAN_VAR_flag=perhaps
variable "count" { type = number } # ERROR KP1103: from --var, is not of type number
variable "list" { type = list(string) } # ERROR KP1103: cannot be read as list(string)
variable "flag" { type = bool } # ERROR KP1103: from KPLAN_VAR_flag, is not of type bool
variable "size" {
  type    = number
  default = "large" # ERROR KP1103: is not of type number
}
