// Package demo sets a stage: an example plan in a directory, the services that
// it moves as processes, two clusters to move between. `kplan demo` and the
// tests act on it through the kplan binary, as a person would.
package demo
