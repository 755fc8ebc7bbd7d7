# VERSION 0.3.0-rc1
# WITH clusters migration
kplan { required_version = ">= 0.3" } # WARNING KP1005: not a release
