package conference

import "slices"

// relation is what one member may not say to, or hear of, another.
type relation struct {
	from, to        *member
	nospeak, nohear bool
}

// relate changes the relation between two members: with nospeak the other does
// not hear from, with nohear from does not hear the other.
func (r *Room) relate(from, to *member, nospeak, nohear bool) {
	r.unrelate(from, to)
	r.relations = append(r.relations, relation{from, to, nospeak, nohear})
	r.applyRelation(from, to)
}

// unrelate forgets the relation and reports whether there was one.
func (r *Room) unrelate(from, to *member) bool {
	n := len(r.relations)
	r.relations = slices.DeleteFunc(r.relations, func(o relation) bool { return o.from == from && o.to == to })
	r.applyRelation(from, to)
	return len(r.relations) < n
}

// applyRelation brings the mixer up to what is related between two members.
func (r *Room) applyRelation(a, b *member) {
	var aDeafToB, bDeafToA bool
	for _, o := range r.relations {
		switch {
		case o.from == a && o.to == b:
			aDeafToB, bDeafToA = aDeafToB || o.nohear, bDeafToA || o.nospeak
		case o.from == b && o.to == a:
			bDeafToA, aDeafToB = bDeafToA || o.nohear, aDeafToB || o.nospeak
		}
	}
	a.seat.Ignore(b.seat, aDeafToB)
	b.seat.Ignore(a.seat, bDeafToA)
}

// forgetRelations forgets all of a leaver; the mixer does so by itself.
func (r *Room) forgetRelations(m *member) {
	r.relations = slices.DeleteFunc(r.relations, func(o relation) bool { return o.from == m || o.to == m })
}
