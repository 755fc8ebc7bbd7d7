package graph

import (
	"container/heap"
	"slices"
)

// order returns the steps in a topological order in which, among the steps
// that could come next, the earlier phase, the earlier wave, the earlier kind
// and the smaller address win. The steps must have no cycle.
func order(steps map[string]*Step) []*Step {
	waiting := map[string]int{}
	dependents := map[string][]string{}
	ready := &queue{}
	for _, address := range sorted(steps) {
		s := steps[address]
		waiting[address] = len(s.Needs)
		for _, need := range s.Needs {
			dependents[need] = append(dependents[need], address)
		}
		if len(s.Needs) == 0 {
			heap.Push(ready, s)
		}
	}
	all := make([]*Step, 0, len(steps))
	for ready.Len() > 0 {
		s := heap.Pop(ready).(*Step)
		all = append(all, s)
		for _, address := range dependents[s.Address] {
			if waiting[address]--; waiting[address] == 0 {
				heap.Push(ready, steps[address])
			}
		}
	}
	return all
}

// queue is a heap of the steps that could come next.
type queue []*Step

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*Step)) }

func (q *queue) Pop() any {
	last := len(*q) - 1
	s := (*q)[last]
	*q = (*q)[:last]
	return s
}

func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	switch {
	case a.Phase != b.Phase:
		return phaseRank(a.Phase) < phaseRank(b.Phase)
	case a.Wave != b.Wave:
		return a.Wave < b.Wave
	case a.Kind != b.Kind:
		return rank(a.Kind) < rank(b.Kind)
	default:
		return a.Address < b.Address
	}
}

func phaseRank(p Phase) int { return slices.Index(Phases(), p) }

// Phases returns the phases in their order.
func Phases() []Phase { return []Phase{Prepare, Mirror, Switch} }

func rank(k Kind) int {
	for i, other := range Kinds() {
		if other == k {
			return i
		}
	}
	return len(Kinds())
}

// Kinds returns all kinds of steps, in the order in which one topic or
// service meets them. Gates come before whatever they guard.
func Kinds() []Kind {
	return []Kind{Gate, CreateTopic, GrantACLs, SetQuota, CreateUser, Override, MirrorStart, CaughtUp, Hold, Stop, Fence, Boundary, MirrorDrain, MirrorStop, Drain, Vacate, Place, Start, Joined, Works, Release}
}

// reduce drops every need that another need implies (transitive reduction;
// of a graph without cycles it is unique). The steps are in topological order.
func reduce(steps []*Step) {
	position := make(map[string]int, len(steps))
	for i, s := range steps {
		position[s.Address] = i
	}
	implied := make([]int, len(steps)) // the last step, from 1, whose needs were found to imply this one
	needs := make([][]int, len(steps)) // what is left of them, the latest first
	var way []int
	for i, s := range steps {
		all := make([]int, 0, len(s.Needs))
		for _, need := range s.Needs {
			all = append(all, position[need])
		}
		// The latest need first: whatever it implies is then already known, and
		// nothing before the earliest need is of interest.
		slices.SortFunc(all, func(a, b int) int { return b - a })
		kept := all[:0]
		for _, n := range all {
			if implied[n] == i+1 {
				continue
			}
			kept = append(kept, n)
			way = append(way, n)
			for earliest := all[len(all)-1]; len(way) > 0; {
				at := way[len(way)-1]
				way = way[:len(way)-1]
				for _, before := range needs[at] {
					if before < earliest {
						break
					}
					if implied[before] != i+1 {
						implied[before] = i + 1
						way = append(way, before)
					}
				}
			}
		}
		needs[i] = slices.Clone(kept)
		s.Needs = make([]string, 0, len(kept))
		for _, n := range kept {
			s.Needs = append(s.Needs, steps[n].Address)
		}
		slices.Sort(s.Needs)
		if len(kept) == 0 {
			s.Needs = nil
		}
	}
}

// sequence returns the nodes 0..n-1 as strongly connected parts in
// topological order: a part comes before the parts that its members point to.
// Among parts that could come next the one with the smallest member wins.
func sequence(n int, next []map[int]bool) [][]int {
	reach := make([][]uint64, n)
	words := (n + 63) / 64
	for i := range reach {
		reach[i] = make([]uint64, words)
		stack := []int{i}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for to := range next[at] {
				if reach[i][to/64]&(1<<(to%64)) == 0 {
					reach[i][to/64] |= 1 << (to % 64)
					stack = append(stack, to)
				}
			}
		}
	}
	has := func(i, j int) bool { return reach[i][j/64]&(1<<(j%64)) != 0 }

	var parts [][]int
	done := make([]bool, n)
	for placed := 0; placed < n; {
		for i := range n {
			if done[i] || !first(i, n, done, has) {
				continue
			}
			part := []int{}
			for j := range n {
				if j == i || (has(i, j) && has(j, i)) {
					part = append(part, j)
					done[j] = true
				}
			}
			parts = append(parts, part)
			placed += len(part)
			break
		}
	}
	return parts
}

// first reports whether all that leads to node i is done or in its own part.
func first(i, n int, done []bool, has func(i, j int) bool) bool {
	for j := range n {
		if j != i && !done[j] && has(j, i) && !has(i, j) {
			return false
		}
	}
	return true
}
