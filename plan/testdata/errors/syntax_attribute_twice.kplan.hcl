# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  bootstrap = ["b:9092"] # ERROR KP1003: already set
}
cluster "new" { bootstrap = ["b:9092"] }
