# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  tls {
    ca_file   = "tls/missing.pem" # ERROR KP1305: no file "tls/missing.pem"
    cert_file = "tls/client.pem"  # ERROR KP1306: needs key_file
  }
}
cluster "new" {
  bootstrap = ["b:9092"]
  tls {
    ca_file  = "tls"            # ERROR KP1305: is a directory
    key_file = "tls/client.key" # ERROR KP1306: needs cert_file
  }
}
