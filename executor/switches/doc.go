// Package switches stops and starts services in the ways that a plan can name.
// So far: programs (exec). A switch reports what happened; it decides nothing
// about what should happen next.
package switches
