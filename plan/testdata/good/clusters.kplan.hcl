/* Everything that is built, in use. */
kplan { required_version = ">= 0.1, < 2.0" }

state "file" { path = "work/.kplan" }

variable "ns" { type = string }
variable "days" {
  type        = number
  description = "How long records are kept on the target."
  default     = 7
}
variable "brokers" { type = list(string) }
variable "old_password" {
  type      = string
  sensitive = true
}

locals {
  prefix   = "${var.ns}."
  password = chomp(file("secrets/newline"))
}

cluster "old" {
  bootstrap = var.brokers
  sasl {
    mechanism = "PLAIN"
    username  = nonsensitive(env("PLAIN"))
    password  = var.old_password
  }
  listener "tls" {
    bootstrap = ["a.old.example:9095", "[::1]:9095"]
    tls { ca_file = "tls/ca.pem" }
  }
}

cluster "new" {
  bootstrap  = ["a.new.example:9095"]
  cluster_id = "u8s1nYw2Q0mYxH4kq3Zr5A"
  tls {
    ca_file     = "tls/ca.pem"
    cert_file   = "tls/client.pem"
    key_file    = "tls/client.key"
    server_name = "kafka.new.example"
  }
  sasl {
    mechanism = "SCRAM-SHA-512"
    username  = "kplan"
    password  = env("KAFKA_PASSWORD")
  }
  listener "tls" {
    bootstrap = ["b.new.example:9096", "c.new.example:9096"]
    tls {}
    sasl {
      mechanism = "SCRAM-SHA-256"
      username  = "apps"
      password  = local.password
    }
  }
  listener "tokens" {
    bootstrap = ["b.new.example:9097"]
    tls {}
    sasl {
      mechanism     = "OAUTHBEARER"
      token_url     = "https://issuer.example/oauth2/token"
      client_id     = "kplan"
      client_secret = env("KAFKA_PASSWORD")
      scopes        = ["kafka", "migrations"]
      ca_file       = "tls/ca.pem"
    }
  }
  capacity {
    racks      = 3
    disk_bytes = bytes("4TiB")
    headroom   = 1.5
  }
}
