# WITH clusters migration
state "kafka" { cluster = cluster.nwe } # ERROR KP1301: Did you mean cluster.new?
