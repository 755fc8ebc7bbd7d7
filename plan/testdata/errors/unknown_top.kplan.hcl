# WITH clusters migration
clutser "x" {}  # ERROR KP1201: Did you mean "cluster"?
bootstrap = []  # ERROR KP1203: It belongs in cluster or listener.
service "x" {}  # ERROR KP1201: It belongs in migration.
frobnicate = 1  # ERROR KP1203: Known there: cluster, kplan, locals
