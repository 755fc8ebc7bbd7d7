# shop writes orders.events; pricing turns them into orders.priced; billing
# reads those. Both clusters have an authorizer, and each service logs in as a
# user of its own: so kplan can keep the stopped producers from writing on the
# old cluster (R8), and ten seconds of quiet are enough (R6).

variable "old" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to leave, with TLS and login"
}

variable "new" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to move to, with TLS and login"
}

variable "old_ca" {
  type        = string
  description = "the authority that signed the old brokers' certificates"
}

variable "new_ca" {
  type        = string
  description = "the authority that signed the new brokers' certificates"
}

variable "user" {
  type        = string
  default     = "kplan"
  description = "as whom kplan logs in; no service may be the same user"
}

variable "replicas" {
  type    = number
  default = 1
}

variable "everyone" {
  type        = bool
  default     = false
  description = "whether allow.everyone.if.no.acl.found is true on the old brokers, which they do not tell"
}

cluster "old" {
  bootstrap = var.old
  tls { ca_file = var.old_ca }
  sasl {
    mechanism = "SCRAM-SHA-512"
    username  = var.user
    password  = env("KAFKA_PASSWORD")
  }
  authorizer {
    allow_everyone = var.everyone
  }
}

cluster "new" {
  bootstrap = var.new
  tls { ca_file = var.new_ca }
  sasl {
    mechanism = "SCRAM-SHA-512"
    username  = var.user
    password  = env("KAFKA_PASSWORD")
  }
}

migration "orders" {
  source = cluster.old
  target = cluster.new

  # No word about the fence: every service that produces says who it is, so it
  # is "acl".
  scheme "production_first" {
    drain_timeout = "10m"
  }

  topics {
    include = ["orders.*"]
    parity {
      replication_factor = var.replicas
    }
  }

  groups {
    include = ["orders-*"]
  }

  service "shop" {
    produces   = ["orders.events"]
    principals = ["User:shop"]
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }

  service "pricing" {
    consumes   = ["orders.events"]
    produces   = ["orders.priced"]
    groups     = ["orders-pricing"]
    principals = ["User:pricing"]
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }

  service "billing" {
    consumes   = ["orders.priced"]
    groups     = ["orders-billing"]
    principals = ["User:billing"]
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }
}
