migration "orders" {
  source = cluster.old
  target = cluster.new

  scheme "production_first" {
    drain_timeout = "1d12h"
    quiet_for     = "10s"
    fence         = "none"
  }

  topics {
    include = ["${local.prefix}*", "/payments\\.(authorised|refused)/"]
    exclude = ["*.tmp"]
    parity {
      replication_factor = 3
      existing           = "alter"
      ignore             = ["segment.bytes"]
    }
    topic "orders.events" {
      config = {
        "retention.ms"     = duration("${var.days}d")
        "segment.bytes"    = bytes("80MiB")
        "cleanup.policy"   = join(",", ["compact", "delete"])
        (upper("a.empty")) = ""
      }
    }
  }

  groups {
    include = ["orders-*"]
    ignore "orders-2019-report" { reason = "abandoned in 2019" }
    group "orders-nightly" { uncommitted = "earliest" }
    group "orders-pricing" {}
  }

  service "pricing" {
    consumes = ["orders.events"]
    produces = ["${local.prefix}priced"]
    groups   = ["orders-pricing"]
    switch "exec" {
      stop    = ["ops/svc", "stop"]
      start   = ["./ops/svc", "start"]
      check   = ["true"]
      timeout = "90s"
    }
  }

  service "warehouse" {
    consumes = ["orders.priced"]
    produces = ["payments.refused"]
    groups   = ["orders-warehouse", "orders-nightly"]
    listener = "tls"
    switch "manual" {
      stop    = "Press Hold in the console of ${side.name} (${side.cluster})."
      start   = <<-EOT
        Set the broker list to ${side.bootstrap}
        and release Hold.
      EOT
      timeout = "30m"
    }
  }

  service "mailer" {
    consumes = ["payments.authorised"]
    groups   = ["orders-warehouse"] // shared: a wave
    switch "manual" {
      stop  = "Stop."
      start = "Start."
    }
  }

  gate "start" {
    before   = "prepare"
    verified = "1h"
  }
  gate "cutover" {
    before  = "switch"
    max_lag = 1000
    hold    = "10m"
    soak    = "1d12h"
    window  = "Tue,Wed 08:00-11:00; Sat 22:00-02:00 Europe/Madrid"
    timeout = "2h"
    approval "sre" {
      expires = "8h"
      from    = ["alice", "bob"]
      others  = true
    }
    approval "owner" {}
  }
  gate "drained" {
    before  = "mailer"
    max_lag = 0
  }

  notify "exec" {
    command = ["ops/svc", "notify"]
    on      = ["fail", "park"]
    timeout = "10s"
  }
  notify "http" {
    url     = "https://hooks.example/services/canary"
    headers = {
      "Authorization" = "Bearer ${env("KAFKA_PASSWORD")}"
      "X-Kind"        = "plan"
    }
  }

  waive "capacity.brokers" { reason = "three large brokers replace six small ones" }
  waive "order.kept" { reason = "no keys" }

  verify { level = "config" }

  acls {
    include = ["User:orders-*", "User:CN=mailer,O=Example"]
    principal "User:orders-old" { becomes = "User:orders-new" }
  }
  quotas {
    include  = ["User:orders-*", "<default>"]
    existing = "alter"
  }
  user "orders-new" {
    mechanism  = "SCRAM-SHA-512"
    iterations = 8192
    password   = env("KAFKA_PASSWORD")
  }
  user "mailer" {
    mechanism = "SCRAM-SHA-256"
    password  = env("KAFKA_PASSWORD")
  }

  mirror {
    run     = "worker"
    start   = "latest"
    offsets = "translate"
    throttle { bytes_per_second = bytes("80MiB") }
    topic "orders.events" { offsets = "translate" }
    topic "payments.refused" { offsets = "translate" }
  }
  gate "copied" {
    before = "mirror"
    soak   = "5m"
  }
}
