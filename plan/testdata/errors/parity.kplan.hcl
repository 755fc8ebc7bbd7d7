# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  acls {
    include = ["User:orders-*", "orders-*", "/User:(a|b)/", "^User:x$"] # ERROR KP1409: write "User:orders-*" # WARNING KP1402: is taken as a glob
    principal "User:orders-a" { becomes = "User:orders-b" }
    principal "User:orders-a" { becomes = "User:c" } # ERROR KP1216: There is a principal
    principal "User:billing" { becomes = "User:b" } # ERROR KP1410: does not cover it
    principal "orders-x" { becomes = "orders-y" } # ERROR KP1409: Write its type # ERROR KP1409: "User:orders-y"
    principal "User:*" { becomes = "User:x" } # ERROR KP1409: everybody
    principal "" { becomes = "User:x" } # ERROR KP1214: name of the principal
    principal "User:orders-n" {} # ERROR KP1205: needs the argument becomes
    principals "x" {} # ERROR KP1201: Did you mean "principal"
  }
  acls { include = ["User:x"] } # ERROR KP1207: only one acls
  quotas {
    include  = ["User:orders-*", "<default>", "/[/"] # ERROR KP1401: not a regular expression
    existing = "remove" # ERROR KP1210: It can be "report" or "alter"
  }
  user "orders" {
    mechanism  = "PLAIN" # ERROR KP1210: It can be "SCRAM-SHA-256" or "SCRAM-SHA-512"
    iterations = 100 # ERROR KP1211: must be from 4096
    password   = "hunter2" # ERROR KP1115: must come through
  }
  user "orders" { # ERROR KP1216: There is a user
    mechanism  = "SCRAM-SHA-256"
    iterations = 20000 # ERROR KP1211: Kafka takes no more
    password   = env("KAFKA_PASSWORD")
  }
  user "User:x" { # ERROR KP1409: write user "x"
    mechanism = "SCRAM-SHA-256"
    password  = env("KAFKA_PASSWORD")
  }
  user "" { # ERROR KP1214: name of the user
    mechanism = "SCRAM-SHA-256"
    password  = env("KAFKA_PASSWORD")
  }
  user "zoë" { # ERROR KP1411: ASCII characters only
    mechanism = "SCRAM-SHA-256"
    password  = env("KAFKA_PASSWORD")
  }
  user "y" {} # ERROR KP1205: needs the argument mechanism # ERROR KP1205: needs the argument password
}
