# WITH clusters migration
state "file" { path = "" } # ERROR KP1214: path is empty
state "file" {} # ERROR KP1207: only one state
