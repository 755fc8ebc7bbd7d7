// Command kplan: flags, wiring and exit codes, one file per command.
//
// What a command decides is in the packages that it calls; what is here reads
// files, the environment and the terminal on their behalf, and prints. Nothing
// else in kplan knows flags, standard streams or exit codes (exit.go has them
// all).
package main
