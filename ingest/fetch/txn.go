package fetch

// transaction is an aborted transaction: who wrote it and the offset of its
// first record.
type transaction struct{ producer, first int64 }

// aborts tells which batches of a response belong to aborted transactions. The
// algorithm is that of the Java consumer: a transaction that is listed as
// aborted is open from its first offset to its producer's next abort marker.
type aborts struct {
	list []transaction // by first offset; those before next have begun
	next int
	open map[int64]struct{}
}

func (a *aborts) reset(list []transaction) {
	a.list, a.next = list, 0
	if a.open == nil {
		a.open = make(map[int64]struct{})
	}
	clear(a.open)
}

// reach opens the transactions that begin at or before an offset.
func (a *aborts) reach(offset int64) {
	for ; a.next < len(a.list) && a.list[a.next].first <= offset; a.next++ {
		a.open[a.list[a.next].producer] = struct{}{}
	}
}

func (a *aborts) aborted(producer int64) bool {
	_, yes := a.open[producer]
	return yes
}

func (a *aborts) end(producer int64) { delete(a.open, producer) }
