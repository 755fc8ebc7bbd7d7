# WITH clusters migration
kplan { required_version = "the newest" } # ERROR KP1006: comparisons separated by commas
