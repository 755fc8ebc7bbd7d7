# WITH clusters migration
state "file" { path = "tls/ca.pem" } # ERROR KP1702: is not a directory
