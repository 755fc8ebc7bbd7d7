// Package migration is an opened migration: what one look at both clusters and the
// state comes to (Assess), whether apply may begin and go on from there (Blocked,
// Continues, Again, Saved), what verify finds (Verify), where it stands
// (ReadStatus), what people may ask of it (Requests), a part of it (Scope), which
// services stand stopped (Stopped), the lock session of an apply, and the mirror of
// an apply or a worker, opened.
//
// It decides; package main reads flags, files and the terminal on its behalf, and
// internal/report writes what it returns. It knows no flags, no streams and no exit
// codes.
package migration
