# WITH clusters migration
state "file" { pth = "‮evil [31mred" }
waive "[2Jx" {}
