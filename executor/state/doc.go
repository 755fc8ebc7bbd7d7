// Package state remembers what apply has done: a journal of records, the
// lock that keeps two kplans apart, and the inbox through which people answer.
//
// The journal is the only memory. Every other view (State) is a fold over its
// records, so that nothing can disagree with it. A record is on disk before
// Append returns; the engine appends the intention before each effect.
//
// The package knows the shape of records and nothing of Kafka or of what a
// step means.
package state
