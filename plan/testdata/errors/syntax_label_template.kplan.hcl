# WITH clusters migration
cluster "${env("KAFKA_PASSWORD")}" { # ERROR KP1003: Template sequences are not allowed
  bootstrap = ["c:9092"]
}
