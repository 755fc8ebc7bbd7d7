cluster "old" {
  bootstrap = ["a.old.example:9092"]
  sasl {
    mechanism = "PLAIN"
    username  = "kplan"
    password  = env("KAFKA_PASSWORD")
  }
  authorizer {
    allow_everyone = "perhaps" # ERROR KP1209: true or false
    allow_nobody   = true      # ERROR KP1203: allow_nobody
  }
}
cluster "new" {
  bootstrap = ["a.new.example:9092"]
  authorizer {} # ERROR KP1205: allow_everyone
}
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" { fence = "acl" }
  topics { include = ["orders.*"] }
  groups { include = ["orders-*"] }
  service "silent" { # ERROR KP1602: names no principals
    produces = ["orders.a"]
    switch "manual" {
      stop  = "stop it"
      start = "start it"
    }
  }
  service "odd" {
    produces   = ["orders.b"]
    principals = [
      "orders",         # ERROR KP1508: such as "User:orders"
      "User:",          # ERROR KP1508: no principal
      "User:*",         # ERROR KP1508: everybody
      "User:ANONYMOUS", # ERROR KP1603: does not log in
      "User:kplan",     # ERROR KP1603: kplan's own login
      "User:fine",
      "User:fine",      # ERROR KP1507: twice
    ]
    switch "manual" {
      stop  = "stop it"
      start = "start it"
    }
  }
  service "reads" {
    consumes = ["orders.a"]
    groups   = ["orders-a"]
    switch "manual" {
      stop  = "stop it"
      start = "start it"
    }
  }
}
