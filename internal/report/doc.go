// Package report turns kplan's documents into what people and programs read:
// text, JSON, Markdown, JUnit, SARIF and metrics. It decides how something is said and never what: it adds up,
// folds equal rows and puts units beside raw values.
//
// It refuses to know terminals and environments: whether to colour, and
// whether only ASCII may be written, is decided by the caller.
//
// Invariants: a symbol never stands without its word, a colour never says
// anything alone; raw values are always shown; text from clusters (names,
// config values, brokers' messages) cannot steer the terminal.
package report
