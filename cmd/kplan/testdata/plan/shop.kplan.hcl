# One service that writes orders.events. Its programs can be replaced by
# variables.

variable "stop" {
  type    = list(string)
  default = ["ops/service", "stop"]
}
variable "start" {
  type    = list(string)
  default = ["ops/service", "start"]
}
variable "check" {
  type    = list(string)
  default = ["ops/service", "check"]
}
variable "timeout" {
  type    = string
  default = "30s"
}
variable "drain" {
  type    = string
  default = "2h"
}

migration "orders" {
  source = cluster.old
  target = cluster.new

  scheme "production_first" {
    quiet_for     = "1s"
    drain_timeout = var.drain
  }
  topics {
    include = ["orders.*"]
    exclude = ["orders.tmp"]
  }
  service "shop" {
    produces = ["orders.events"]
    switch "exec" {
      stop    = var.stop
      start   = var.start
      check   = var.check
      timeout = var.timeout
    }
  }
}
