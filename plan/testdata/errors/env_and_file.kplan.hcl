# WITH clusters migration
locals {
  a = env("NOT_THERE")             # ERROR KP1112: NOT_THERE is not set
  b = file("secrets/missing")      # ERROR KP1113: "secrets/missing" cannot be read
  c = file("secrets")              # ERROR KP1113: not a regular file
  d = file(file("secrets/password")) # ERROR KP1113: The file cannot be read
  e = env(env("KAFKA_PASSWORD"))   # ERROR KP1114: cannot come from a sensitive value
}
