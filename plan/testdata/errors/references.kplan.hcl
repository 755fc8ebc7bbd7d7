# WITH clusters migration
variable "ns" { default = "x" }
locals {
  a = ns            # ERROR KP1108: Did you mean var.ns?
  b = plain         # ERROR KP1108: Put it in quotes
  c = cluster.old   # ERROR KP1108: source and target only
  d = side.name     # ERROR KP1108: manual switch only
  e = var           # ERROR KP1108: Write var.NAME
  f = vra.ns        # ERROR KP1108: Did you mean "var"?
}
