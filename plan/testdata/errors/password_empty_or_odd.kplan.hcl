# WITH migration
# ENV EMPTY=
cluster "old" {
  bootstrap = ["a:9092"]
  sasl {
    mechanism = "PLAIN"
    username  = "kplan"
    password  = env("EMPTY") # ERROR KP1214: password is empty
  }
}
cluster "new" {
  bootstrap = ["b:9092"]
  sasl {
    mechanism = "PLAIN"
    username  = ""     # ERROR KP1214: username is empty
    password  = var.xx # ERROR KP1101: There is no such variable
  }
}
