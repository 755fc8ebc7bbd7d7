# WITH migration
# VAR pw=canary-on-the-command-line
variable "pw" { type = string }
cluster "old" {
  bootstrap = ["a:9092"]
  sasl {
    mechanism = "SCRAM-SHA-512"
    username  = "kplan"
    password  = "canary-in-the-plan" # ERROR KP1115: must come through env
  }
  listener "b" {
    bootstrap = ["a:9093"]
    sasl {
      mechanism = "PLAIN"
      username  = "kplan"
      password  = var.pw # ERROR KP1115: sensitive = true
    }
  }
}
cluster "new" {
  bootstrap = ["b:9092"]
  sasl {
    mechanism = "PLAIN"
    username  = "kplan"
    password  = canary # ERROR KP1108: A bare word refers to nothing. Write env
  }
  listener "nl" {
    bootstrap = ["b:9093"]
    sasl {
      mechanism = "PLAIN"
      username  = "kplan"
      password  = file("secrets/newline") # WARNING KP1117: chomp
    }
  }
}
