# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = ["orders.*"]
    parity {
      replication_factor = 0          # ERROR KP1211: from 1 to 32767
      existing           = "reprot"   # ERROR KP1210: Did you mean "report"?
      ignore             = ["retention.m"] # WARNING KP1407: Did you mean "retention.ms"?
    }
    topic "orders.a" {
      config = {
        "retention.ms"       = duration("14d")
        "cleanup.polcy"      = "compact" # WARNING KP1407: Did you mean "cleanup.policy"?
        "my.own.key"         = "x"
        "min.insync.replicas" = null     # ERROR KP1209: The config "min.insync.replicas"
      }
    }
    topic "orders.b" { config = ["retention.ms"] } # ERROR KP1209: a map
    topic "orders.c" {
      config { a = 1 } # ERROR KP1213: config = ...
    }
    topic "orders.a" {} # ERROR KP1216: already
  }
}
