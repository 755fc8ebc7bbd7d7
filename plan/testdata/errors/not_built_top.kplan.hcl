# WITH migration
cluster "old" { bootstrap = ["a:9092"] }
cluster "new" { bootstrap = ["b:9092"] }
dynamic "cluster" { for_each = [] } # ERROR KP1204: one by one
