// Package migration is an opened migration: what one look at both clusters and the
// state comes to (Assess), whether apply may begin and go on from there (Blocked,
// Continues, Saved), what verify finds (Judge), and which services stand stopped.
//
// It decides; package main reads flags, files and the terminal on its behalf, and
// internal/report writes what it returns. It knows no flags, no streams and no exit
// codes.
package migration
