# WITH clusters migration
locals {
  many = 1 + [
    "a",
    "b",
    "c",
    "d",
    "e",
  ]
}
