package ingest

// grouping lists the members of groups: the rows of each minute, the minutes of
// each hour. Many producers are late and models share topics, so the rows of a
// minute seldom follow one another.
type grouping struct {
	members []int32 // by group
	ends    []int32 // of each group's
}

// of returns the members of a group in their own order.
func (g *grouping) of(group int32) []int32 {
	from := int32(0)
	if group > 0 {
		from = g.ends[group-1]
	}
	return g.members[from:g.ends[group]]
}

// build groups the indices of groupOf: a counting sort.
func (g *grouping) build(groupOf []int32, groups int) {
	g.ends, g.members = g.ends[:0], g.members[:0]
	for range groups {
		g.ends = append(g.ends, 0)
	}
	for _, group := range groupOf {
		g.ends[group]++
		g.members = append(g.members, 0)
	}
	from := int32(0)
	for group, n := range g.ends {
		g.ends[group] = from
		from += n
	}
	// Each end begins as where its group starts and moves as members come.
	for i, group := range groupOf {
		g.members[g.ends[group]] = int32(i)
		g.ends[group]++
	}
}

// rename replaces the members from n on by what they stand for.
func (g *grouping) rename(n int32, to []int32) {
	for i, member := range g.members {
		if member >= n {
			g.members[i] = to[member-n]
		}
	}
}

// group finds the minute of every row.
func (f *fold) group() {
	in := f.in
	var minute, owner int32
	var from int64 // of the minute before, in milliseconds
	for row, ts := range in.TS {
		same := row > 0 && in.Model.IDs[row] == in.Model.IDs[row-1] && in.Deploy.IDs[row] == in.Deploy.IDs[row-1] && in.Stage.IDs[row] == in.Stage.IDs[row-1]
		if !same {
			deploy, _ := f.deploys.id(in.Model.IDs[row], uint32(in.Deploy.IDs[row]))
			owner, _ = f.owners.id(deploy, placeOf(in.Stage.IDs[row], 0))
		}
		if !same || ts < from || ts >= from+60_000 {
			at := floorDiv(ts, 60_000)
			minute, from = f.minuteID(owner, at), at*60_000
		}
		f.hours.rows[f.hourOf[minute]]++
		f.minutes.rows[minute]++
		f.minuteOf = append(f.minuteOf, minute)
	}
	if f.slicer.sliced {
		f.slice()
	}
	f.inMinute.build(f.minuteOf, f.minutes.times.len())
	if len(f.minuteOf) > in.Len() {
		f.inMinute.rename(int32(in.Len()), f.slicer.rows)
	}
	f.inHour.build(f.hourOf, f.hours.times.len())
}

// minuteID returns the identifier of an owner's minute.
func (f *fold) minuteID(owner int32, at int64) int32 {
	minute, isNew := f.minutes.times.id(owner, uint32(at))
	if !isNew {
		return minute
	}
	hour, isNew := f.hours.times.id(owner, uint32(floorDiv(at, 60)))
	if isNew {
		f.hours.rows = append(f.hours.rows, 0)
	}
	f.minutes.rows = append(f.minutes.rows, 0)
	f.hourOf = append(f.hourOf, hour)
	return minute
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
