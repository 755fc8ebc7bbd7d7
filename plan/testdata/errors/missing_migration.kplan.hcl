cluster "old" { bootstrap = ["a:9092"] } # ERROR KP1206: A plan needs a migration block
