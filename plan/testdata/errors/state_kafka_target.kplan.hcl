# WITH clusters migration
state "kafka" { cluster = cluster.new } # WARNING KP1703: would live on "new" alone
