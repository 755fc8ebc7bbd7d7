// Package examples holds plans that run. Each is carried out by a test, and
// `kplan demo` carries them out on embedded clusters.
//
// A plan's folder is complete: its files, and under ops/ the programs that stop
// and start its services.
package examples
