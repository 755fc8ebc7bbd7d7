# WITH clusters migration
state "kafka" { # ERROR KP1205: needs the argument cluster
  path               = ".kplan" # ERROR KP1203: There is no argument "path" in state "kafka". It belongs in state "file".
  replication_factor = 0        # ERROR KP1211: must be from 1 to 32767
}
