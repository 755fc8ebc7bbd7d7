// Package plan is the language: it reads the *.kplan.hcl files of one
// directory and evaluates them into a Plan, or says everything that is wrong
// with them at once.
//
// It refuses to know clusters, state and time: it opens no connection, starts
// no program and reads no file but the plan's, the variable files, what
// file() names, and the existence of the files that a cluster or a switch
// refers to.
//
// The way of a file: files.go reads and parses, check.go compares every block
// with the specification table (spec*.go), variables.go and locals.go give the
// names their values, value.go turns expressions into typed values,
// build_*.go fill the model (model.go), validate*.go compare its parts.
//
// Invariants:
//   - A Plan exists if and only if no diagnostic is an error; it never changes
//     once loaded.
//   - Every diagnostic carries a Code of the tables in codes*.go. Its summary
//     is fixed text; names from the files stand in the detail.
//   - A value that came through env() or file() is marked sensitive and ends
//     in a Secret or in a diagnostic without the value, nowhere else. Snippets
//     hide the source of sensitive arguments (mask*.go), also in files that do
//     not parse.
//   - No input makes it panic (FuzzLoad).
package plan
