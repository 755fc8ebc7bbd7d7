// Package mirror knows where the records of a source partition are on the
// target. Its Map is exact: every position that a group has committed on one
// side has one position on the other (R9), after gaps on either side, after
// cuts, and after it has been rebuilt from the headers of the two logs.
//
// The package does no I/O.
package mirror
