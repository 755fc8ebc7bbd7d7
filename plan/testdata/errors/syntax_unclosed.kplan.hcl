# WITH migration
cluster "old" { # ERROR KP1003: no closing brace
  bootstrap = ["a:9092"]
