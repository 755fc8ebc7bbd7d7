# WITH migration
cluster "old" {} # ERROR KP1205: cluster needs the argument bootstrap
cluster "new" {
  bootstrap = null # ERROR KP1205: bootstrap is null
  sasl {} # ERROR KP1205: needs the argument mechanism
  listener "x" {} # ERROR KP1205: listener needs the argument bootstrap
}
