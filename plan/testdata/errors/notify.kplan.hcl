# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  notify {} # ERROR KP1208: needs a label that chooses its kind: "exec" or "http"
  notify "htpp" {} # ERROR KP1202: Did you mean "http"?
  notify "exec" {} # ERROR KP1205: needs the argument command
  notify "exec" {
    command = ["ops/missing"] # ERROR KP1505: There is no program "ops/missing"
    on      = ["park", "parked"] # ERROR KP1210: on cannot be "parked". It can be "park", "fail" or "done"
    timeout = "10ms" # ERROR KP1601: at least 1s
  }
  notify "exec" {
    command = ["true"]
    url     = "https://visible.example" # ERROR KP1203: It belongs in notify "http"
    on      = ["done", "done"] # ERROR KP1507: twice
  }
  notify "exec" {
    command = [] # ERROR KP1214: command is empty
    on      = [] # ERROR KP1214: on is empty
  } # ERROR(+1) KP1205: needs the argument url
  notify "http" {}
}
