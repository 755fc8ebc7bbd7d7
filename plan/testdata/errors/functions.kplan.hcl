# WITH clusters migration
locals {
  a = uper("x")           # ERROR KP1109: Did you mean "upper"?
  b = upper()             # ERROR KP1110: Not enough function arguments
  c = duration("14 days") # ERROR KP1110: is not a duration
  d = bytes("80M")        # ERROR KP1110: has no known unit
  e = parseint("x", 10)   # ERROR KP1110: x
  f = [1][2]              # ERROR KP1111: Invalid index
  g = 1 + "x"             # ERROR KP1111: Invalid operand
}
