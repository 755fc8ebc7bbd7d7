cluster "old" { bootstrap = ["a.old.example:9092"] }
cluster "new" { bootstrap = ["a.new.example:9092"] }
