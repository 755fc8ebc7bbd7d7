# The access rules, client quotas and SCRAM users of the orders services, made
# on the new cluster like on the old one. No service moves: the plan can be
# applied again whenever the old cluster's rules change, until the day of the
# switch, or be made a part of the plan that switches.

variable "old" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to leave"
}

variable "new" {
  type        = list(string)
  description = "bootstrap addresses of the cluster to move to"
}

cluster "old" {
  bootstrap = var.old
}

cluster "new" {
  bootstrap = var.new
  authorizer {
    allow_everyone = false # what no rule is about is refused there
  }
}

migration "orders" {
  source = cluster.old
  target = cluster.new

  scheme "production_first" {
    fence = "none" # nothing is stopped
  }

  topics {
    include = ["orders.*"]
  }

  # Missing rules are created, others are left alone. Rules of single topics
  # that are not selected stay behind.
  acls {
    include = ["User:orders-*", "User:CN=orders*"]
    principal "User:orders-old" { becomes = "User:orders-new" }
  }

  # By user, client id and address. A quota that the new cluster has with
  # another value is reported.
  quotas {
    include = ["User:orders-*", "orders-app", "10.9.8.*"]
  }

  # Kafka tells no passwords: a user that is missing gets a new one.
  user "orders-new" {
    mechanism = "SCRAM-SHA-512"
    password  = env("ORDERS_PASSWORD")
  }
}
