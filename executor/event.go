package executor

import (
	"time"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// Event is something that happened while a graph ran. The set is closed.
type Event interface{ event() }

// StepStarted says that a step begins, or begins again.
type StepStarted struct {
	Step    *graph.Step
	Attempt int
}

// StepProgress says how far a step is. Left is in records, Rate in records a
// second; both are 0 where they mean nothing.
type StepProgress struct {
	Step  *graph.Step
	Text  string
	Left  int64
	Rate  float64
	ETA   time.Duration // 0: not known
	Since time.Duration // how long the step has been running
}

// StepDone says that a step has passed.
type StepDone struct {
	Step *graph.Step
	Text string
	Took time.Duration
}

// BatchDone says that many steps of a kind have passed together.
type BatchDone struct {
	Kind  graph.Kind
	Texts map[string]int // how many, by what was found
	Took  time.Duration
	Left  int // steps of the kind that have not passed yet
}

// StepFailed says that a step has not passed.
type StepFailed struct {
	Step *graph.Step
	Err  error
}

// StepSkipped says that a step was not begun because one that it needs did not
// pass.
type StepSkipped struct {
	Step    *graph.Step
	Because string // address
}

// StepParked says that a step waits for a person.
type StepParked struct {
	Step        *graph.Step
	Instruction string
	Conditions  []GateCondition // of a gate, met or not
	Command     string          // what the person types when it is done
	Until       time.Time
}

// Answered says how far somebody's request has come.
type Answered struct{ Answer state.Answer }

// Pausing says that nothing new is begun until somebody resumes. Running is how
// many steps are still under way.
type Pausing struct{ Running int }

// Restoring says that a service is being put back to the source (R13).
type Restoring struct{ Service string }

// Restored says that it runs there again.
type Restored struct{ Service string }

// Noted is something that a person should know.
type Noted struct{ Text string }

func (StepStarted) event()  {}
func (StepProgress) event() {}
func (StepDone) event()     {}
func (BatchDone) event()    {}
func (StepFailed) event()   {}
func (StepSkipped) event()  {}
func (StepParked) event()   {}
func (Restoring) event()    {}
func (Restored) event()     {}
func (Noted) event()        {}
func (Answered) event()     {}
func (Pausing) event()      {}
