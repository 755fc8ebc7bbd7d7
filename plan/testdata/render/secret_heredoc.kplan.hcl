# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  sasl {
    mechanism = "PLAIN"
    username  = "u"
    password  = <<-EOT
      canary line one
      ${nope}
    EOT
  }
}
cluster "new" { bootstrap = ["b:9092"] }
