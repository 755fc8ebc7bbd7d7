# VERSION 0.2.0
# WITH clusters migration
kplan { required_version = ">= 0.3" } # ERROR KP1004: this is 0.2.0
