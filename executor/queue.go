package executor

import (
	"slices"

	"kplan/executor/state"
	"kplan/plan/graph"
)

const (
	// maxParallel bounds how many steps are under way at once.
	maxParallel = 32
	// batchSize bounds how many steps go together, and batchWeight says as how
	// many they count: two batches at once keep a controller busy.
	batchSize   = 200
	batchWeight = maxParallel / 2
)

// queue says which steps may begin: in the order of the graph those whose needs
// have passed. It belongs to the walk's goroutine.
type queue struct {
	r     *run
	begun map[string]bool
	left  map[string]int // needs that have not passed
	place map[string]int // in the graph
	ready []int          // places, in order
	used  int            // of maxParallel
	under map[string]int // weight of what is under way

	together map[graph.Kind]batchHandler
}

func (r *run) newQueue() *queue {
	q := &queue{r: r, begun: map[string]bool{}, left: map[string]int{}, place: map[string]int{}, under: map[string]int{}, together: batches()}
	for i, s := range r.Graph.Steps { // each behind what it needs
		q.place[s.Address] = i
		if !r.Part.Has(s.Address) {
			q.left[s.Address]++ // for ever
		}
		if r.status(s.Address) != state.Done {
			for _, d := range r.guarded(s) {
				q.left[d]++
			}
		}
		if q.left[s.Address] == 0 && r.status(s.Address) != state.Done {
			q.ready = append(q.ready, i)
		}
	}
	return q
}

// next takes out what can begin now: a step, several of a kind that go
// together, or nil.
func (q *queue) next() []*graph.Step {
	if q.used == maxParallel {
		return nil // said here: large graphs have many that are ready
	}
	for at, i := range q.ready {
		first := q.r.Graph.Steps[i]
		unit, weight := []*graph.Step{first}, 1
		if q.together[first.Kind] != nil {
			if weight = batchWeight; q.used+weight > maxParallel {
				continue
			}
			unit = q.alike(at)
		} else {
			q.ready = slices.Delete(q.ready, at, at+1)
		}
		for _, s := range unit {
			q.begun[s.Address] = true
			q.under[s.Address] = 0
		}
		q.under[first.Address] = weight
		q.used += weight
		return unit
	}
	return nil
}

// alike takes out the step at a place of ready, and those of its kind behind it
// that go with it.
func (q *queue) alike(at int) []*graph.Step {
	var unit []*graph.Step
	kind := q.r.Graph.Steps[q.ready[at]].Kind
	rest := q.ready[:at]
	for _, i := range q.ready[at:] {
		if s := q.r.Graph.Steps[i]; s.Kind == kind && len(unit) < batchSize {
			unit = append(unit, s)
			continue
		}
		rest = append(rest, i)
	}
	q.ready = rest
	return unit
}

func (q *queue) running() int { return len(q.under) }

// more reports whether anything could begin.
func (q *queue) more() bool { return len(q.ready) > 0 }

// over notes that a step is no longer under way.
func (q *queue) over(s *graph.Step) {
	q.used -= q.under[s.Address]
	delete(q.under, s.Address)
}

// passed lets what needed the step come nearer.
func (q *queue) passed(s *graph.Step) {
	for _, address := range q.r.guarded(s) {
		q.left[address]--
		if q.left[address] > 0 || q.begun[address] || q.r.status(address) == state.Done {
			continue
		}
		i := q.place[address]
		at, _ := slices.BinarySearch(q.ready, i)
		q.ready = slices.Insert(q.ready, at, i)
	}
}

// gatesAgain puts back the gates that nothing has followed yet: while a run was
// paused, windows have closed and words have expired.
func (q *queue) gatesAgain() {
	for i, s := range slices.Backward(q.r.Graph.Steps) {
		behind := q.r.guarded(s)
		followed := slices.ContainsFunc(behind, func(d string) bool { return q.begun[d] && !q.r.isLook(d) })
		if s.Kind != graph.Gate || !q.r.Part.Has(s.Address) || q.r.status(s.Address) != state.Done || followed || q.r.entered(s) {
			continue
		}
		q.r.again(s.Address)
		q.begun[s.Address] = false
		for _, d := range behind {
			q.left[d]++
			if at, there := slices.BinarySearch(q.ready, q.place[d]); there {
				q.ready = slices.Delete(q.ready, at, at+1)
			}
		}
		at, _ := slices.BinarySearch(q.ready, i)
		q.ready = slices.Insert(q.ready, at, i)
	}
}
