# WITH migration
cluster "old" {
  bootstrap = ["a:9092"]
  listener "x y" { bootstrap = ["a:9093"] } # ERROR KP1215: letters, digits
  listener "z" { bootstrap = ["a:9094"] }
  listener "z" { bootstrap = ["a:9095"] } # ERROR KP1216: There is a listener "z" already
}
cluster "new" { bootstrap = ["b:9092"] }
cluster "new" { bootstrap = ["c:9092"] } # ERROR KP1216: There is a cluster "new" already
cluster "1st" { bootstrap = ["d:9092"] } # ERROR KP1215: begins with a letter
