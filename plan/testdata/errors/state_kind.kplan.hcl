# WITH clusters migration
state "kafak" { cluster = cluster.old } # ERROR KP1202: Did you mean "kafka"?
