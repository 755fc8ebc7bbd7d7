# shop writes orders.events; pricing turns them into orders.priced; billing
# reads those. Each cluster has two listeners: one without TLS (9094), which
# kplan, shop and pricing use, and one with TLS and a login (9095), which
# billing uses. kplan diff, verify and probe check both, on every broker, as
# their clients would see them, and what the target must have room for.

variable "old" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to leave, without TLS"
}

variable "new" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to move to, without TLS"
}

variable "old_tls" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to leave, with TLS"
}

variable "new_tls" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to move to, with TLS"
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
  type    = string
  default = "billing"
}

variable "replicas" {
  type    = number
  default = 1
}

variable "racks" {
  type        = number
  default     = 1
  description = "availability zones that the new brokers and their replicas must span"
}

variable "disk_bytes" {
  type        = number
  default     = null
  description = "disk of all new brokers together, where they do not tell"
}

cluster "old" {
  bootstrap = var.old
  listener "tls" {
    bootstrap = var.old_tls
    tls { ca_file = var.old_ca }
    sasl {
      mechanism = "SCRAM-SHA-512"
      username  = var.user
      password  = env("KAFKA_PASSWORD")
    }
  }
}

cluster "new" {
  bootstrap = var.new
  listener "tls" {
    bootstrap = var.new_tls
    tls { ca_file = var.new_ca }
    sasl {
      mechanism = "SCRAM-SHA-512"
      username  = var.user
      password  = env("KAFKA_PASSWORD")
    }
  }
  capacity {
    racks      = var.racks
    disk_bytes = var.disk_bytes
    headroom   = 1.3
  }
}

migration "orders" {
  source = cluster.old
  target = cluster.new

  scheme "production_first" {
    drain_timeout = "10m"
    quiet_for     = "2s" # with no fence, every producer's delivery.timeout.ms has to be below it
    fence         = "none"
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
    produces = ["orders.events"]
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }

  service "pricing" {
    consumes = ["orders.events"]
    produces = ["orders.priced"]
    groups   = ["orders-pricing"]
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }

  service "billing" {
    consumes = ["orders.priced"]
    groups   = ["orders-billing"]
    listener = "tls"
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }
}
