# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  sasl { # ERROR KP1205: sasl needs the argument client_id with OAUTHBEARER
    mechanism     = "OAUTHBEARER"
    username      = "kplan"                            # ERROR KP1308: username has no meaning with OAUTHBEARER
    token_url     = "http://issuer.example/canary"     # ERROR KP1309: in clear text
    client_secret = "canary-in-clear-text"             # ERROR KP1115: env("NAME")
    ca_file       = "tls/none.pem"                     # ERROR KP1305: no file
  }
  listener "two" {
    bootstrap = ["a:9093"]
    sasl {
      mechanism     = "OAUTHBEARER"
      token_url     = "https://me:canary@issuer.example" # ERROR KP1309: holds a user
      client_id     = "kplan"
      client_secret = env("KAFKA_PASSWORD")
    }
  }
  listener "three" {
    bootstrap = ["a:9094"]
    sasl { # ERROR KP1205: sasl needs the argument password with PLAIN or SCRAM
      mechanism = "PLAIN"
      username  = "kplan"
      scopes    = ["kafka"] # ERROR KP1308: scopes has no meaning with PLAIN or SCRAM
    }
  }
  listener "four" {
    bootstrap = ["a:9095"]
    sasl {
      mechanism     = "OAUTHBEARER"
      token_url     = "/canary" # ERROR KP1309: no URL with a host
      client_id     = "kplan"
      client_secret = env("KAFKA_PASSWORD")
    }
  }
}
cluster "new" {
  bootstrap = ["b:9092"]
  sasl {
    mechanism     = "OAUTHBEARER"
    token_url     = "http://[::1]:8080/token?tenant=canary" # ERROR KP1309: holds a query
    client_id     = "kplan"
    client_secret = env("KAFKA_PASSWORD")
  }
}
