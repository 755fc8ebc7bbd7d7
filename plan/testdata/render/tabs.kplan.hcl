# WITH clusters migration
state "file" {
	path	=	var.x
}
