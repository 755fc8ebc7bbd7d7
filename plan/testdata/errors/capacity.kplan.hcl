# WITH migration
cluster "old" { bootstrap = ["a:9092"] }
cluster "new" {
  bootstrap = ["b:9092"]
  capacity {
    racks      = 0     # ERROR KP1211: from 1 to 32767
    disk_bytes = "lots" # ERROR KP1209: a whole number
    headroom   = 0.5   # ERROR KP1211: from 1 to 10
    disks      = 3     # ERROR KP1203: disk
  }
  capacity { headroom = "half" } # ERROR KP1207: capacity
}
