// Package driver is the mirror as apply drives it: in its own process (Local), or
// by workers that it asks and watches through the shelf (Workers) (R17). Both are
// an executor.Mirror.
//
// What counts here is what the target has acknowledged, never what is planned;
// what nobody has told yet is unknown, and not zero; and an answer that is kept
// for a moment is one to the same question.
package driver
