# WITH migration
cluster "old" {
  bootstrap = [
    "SASL_SSL://a:9092", # ERROR KP1303: Leave the protocol out
    "a:9092,b:9092",     # ERROR KP1303: element of its own
    "a",                 # ERROR KP1303: "a:9092"
    ":9092",             # ERROR KP1303: no host
    "a:99999",           # ERROR KP1303: from 1 to 65535
    "::1:9092",          # ERROR KP1303: in brackets
    "",                  # ERROR KP1214: empty element
    "x:9092",
    "X:9092",            # ERROR KP1304: in this list already
  ]
}
cluster "new" { bootstrap = [] } # ERROR KP1214: bootstrap is empty
