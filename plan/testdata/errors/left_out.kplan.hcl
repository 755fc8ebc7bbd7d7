# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  tls {
    insecure_skip_verify = true # ERROR KP1217: give ca_file; where the name does not match the address, give server_name
  }
  sasl {
    mechanism = "AWS_MSK_IAM" # ERROR KP1217: SCRAM-SHA-512 (port 9096)
    username  = "u"
    password  = env("KAFKA_PASSWORD")
  }
}
cluster "new" {
  bootstrap = ["b:9092"]
  tls {
    verify = false  # ERROR KP1217: kplan has no verify, on purpose.
    secure = "true" # ERROR KP1203: Known there: ca_file, cert_file, key_file, server_name
  }
  sasl {
    mechanism = "gssapi" # ERROR KP1217: Use a listener with SCRAM, OAUTHBEARER or mutual TLS
  }
}
