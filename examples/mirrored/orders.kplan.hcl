# The same services as in production-first, and the records that are there move
# along: they are copied while everything runs, the rest of a topic is copied
# between the stop of its producers and their start on the new cluster, and
# consumers go on at exactly the next record.

variable "old" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to leave"
}

variable "new" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to move to"
}

variable "replicas" {
  type    = number
  default = 1
}

cluster "old" {
  bootstrap = var.old
}

cluster "new" {
  bootstrap = var.new
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
    topic "orders.priced" {
      config = { "retention.ms" = duration("14d") }
    }
  }

  groups {
    include = ["orders-*"]
  }

  mirror {
    start   = "earliest"
    offsets = "translate"
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
    switch "exec" {
      stop    = ["ops/service", "stop"]
      start   = ["ops/service", "start"]
      check   = ["ops/service", "check"]
      timeout = "1m"
    }
  }

  verify {
    level = "offsets"
  }
}
