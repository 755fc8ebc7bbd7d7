# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_later" {
    drain_timeout = duration("2h") # ERROR KP1209: duration() is for Kafka
    quiet_for     = "-5s"          # ERROR KP1212: is not a duration
  }
  topics { include = ["orders.*"] }
}
