package mirror

// epochs are the leader epochs of the source under which a partition's records
// were written, as far as they were read, oldest first.
type epochs []Epoch

// mostEpochs is how many are remembered: the target's log never ends further
// back than what is under way.
const mostEpochs = 64

// note takes the leader epoch of a batch that begins at an offset. Batches of
// old formats have none, -1.
func (e *epochs) note(number int32, from int64) {
	if n := len(*e); number < 0 || n > 0 && (*e)[n-1].Number >= number {
		return
	}
	*e = append(*e, Epoch{Number: number, From: from})
	if n := len(*e); n > mostEpochs {
		*e = append(epochs(nil), (*e)[n-mostEpochs:]...)
	}
}

// below are those of records before an offset, in memory of their own.
func (e epochs) below(offset int64) []Epoch {
	n := len(e)
	for n > 0 && e[n-1].From >= offset {
		n--
	}
	if n == 0 {
		return nil
	}
	return append([]Epoch(nil), e[:n]...)
}

// at is the leader epoch of the last record before an offset, -1: not known.
func (e epochs) at(offset int64) int32 {
	if below := e.below(offset); len(below) > 0 {
		return below[len(below)-1].Number
	}
	return -1
}
