# WITH clusters migration
locals {
  a = local.b # ERROR KP1107: local.a needs local.b needs local.a
  b = local.a
  c = local.dd # ERROR KP1106: Did you mean local.d?
  d = 1
}
locals {
  d = 2 # ERROR KP1118: defined already
}
