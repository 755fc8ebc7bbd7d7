# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics {
    include = ["orders.*", "payments"]
    exclude = ["*.tmp"]
  }
  mirror {
    run     = "aply"     # ERROR KP1210: Did you mean "apply"?
    start   = "newest"   # ERROR KP1210: It can be "earliest" or "latest"
    offsets = "preserve" # ERROR KP1204: Write offsets = "translate"
    stray   = "copy"     # ERROR KP1204: knows stray
    ofsets  = "x"        # ERROR KP1203: Did you mean "offsets"?
    throtle {}           # ERROR KP1201: Did you mean "throttle"?
    throttle {
      bytes_per_second = bytes("1023B") # ERROR KP1211: must be at least 1024
      records          = 5              # ERROR KP1203: Known there: bytes_per_second
    }
    reverse { keep_for = "72h" } # ERROR KP1204: Leave it out: without it a service goes back

    topic "orders.a" { offsets = "preserve" } # ERROR KP1204: knows offsets = "preserve"
    topic "orders.b" { offset = "translate" } # ERROR KP1203: Did you mean "offsets"? # ERROR KP1205: topic needs the argument offsets
    topic "orders.c" { config = {} }          # ERROR KP1203: It belongs in topic of topics # ERROR KP1205: topic needs the argument offsets
    topic "paymets" { offsets = "translate" } # ERROR KP1404: Did you mean "payments"?
    topic "shipping" { offsets = "translate" } # ERROR KP1404: no pattern of topics.include covers it
    topic "orders.x.tmp" { offsets = "translate" } # ERROR KP1404: topics.exclude removes it by "*.tmp"
    topic "orders.*" { offsets = "translate" } # ERROR KP1408: is a pattern
    topic "__consumer_offsets" { offsets = "translate" } # ERROR KP1403: an internal topic
    topic "payments" { offsets = "translate" }
    topic "payments" { offsets = "translate" } # ERROR KP1216: There is a topic "payments" already
  }
}
