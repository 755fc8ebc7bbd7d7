# WITH clusters migration
locals {
  a = parseint(env("KAFKA_PASSWORD"), 10) # ERROR KP1110: The reason is not shown
  b = env("KAFKA_PASSWORD") + 1           # ERROR KP1111: The reason is not shown
  c = duration(env("KAFKA_PASSWORD"))     # ERROR KP1110: The reason is not shown
}
