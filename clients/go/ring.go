package storageclient

import "unsafe"

const (
	slotBytes = int(unsafe.Sizeof(record{}))

	// chunkSlots are allocated at a time, so that an idle ring is small and a growing one never
	// copies.
	chunkSlots = 1024

	none int32 = -1
)

// ring is a bounded store of records: one first-in-first-out lane a kind, with bounds that all lanes
// share. The first records of one lane may be in flight; these stay where they are until they are
// settled or released, and are never dropped.
//
// It does no locking. Records in flight may be read without a lock.
type ring struct {
	chunks [][]record
	// used slots have been handed out at least once; those free again are linked from free.
	used, capacity int32
	free           int32
	lanes          [kinds]lane
	seq            uint64
	count          int
	bytes          int
	maxBytes       int
}

type lane struct {
	head, tail int32
	count      int
	// flight records from the head on are in flight, the last of them in flightTail.
	flight     int
	flightTail int32
}

func newRing(maxRecords, maxBytes int) *ring {
	r := &ring{
		chunks:   make([][]record, (maxRecords+chunkSlots-1)/chunkSlots),
		capacity: int32(maxRecords),
		free:     none,
		maxBytes: maxBytes,
	}
	for k := range r.lanes {
		r.lanes[k] = lane{head: none, tail: none, flightTail: none}
	}
	return r
}

func (r *ring) slot(i int32) *record { return &r.chunks[i/chunkSlots][i%chunkSlots] }

// hasRoom tells whether a record with that much text fits.
func (r *ring) hasRoom(text int) bool {
	return r.count < int(r.capacity) && r.bytes+text+slotBytes <= r.maxBytes
}

// isCrowded tells whether a quarter is taken: time to make room before there is none.
func (r *ring) isCrowded() bool { return r.count > int(r.capacity)/4 || r.bytes > r.maxBytes/4 }

// push takes a slot at the end of a lane, for the caller to fill. There must be room.
func (r *ring) push(k kind, text []byte) *record {
	i := r.free
	if i != none {
		r.free = r.slot(i).next
	} else {
		i = r.used
		r.used++
		if r.chunks[i/chunkSlots] == nil {
			r.chunks[i/chunkSlots] = make([]record, min(chunkSlots, r.capacity-i))
		}
	}
	s := r.slot(i)
	s.text = text
	s.next = none
	s.seq = r.seq
	r.seq++
	l := &r.lanes[k]
	if l.tail == none {
		l.head = i
	} else {
		r.slot(l.tail).next = i
	}
	l.tail = i
	l.count++
	r.count++
	r.bytes += s.size()
	return s
}

// oldest finds the lane whose first record that is not in flight is older than all others such.
func (r *ring) oldest() (kind, bool) {
	found := kinds
	var seq uint64
	for k := range kinds {
		if i := r.waiting(k); i != none && (found == kinds || r.slot(i).seq < seq) {
			found, seq = k, r.slot(i).seq
		}
	}
	return found, found != kinds
}

// waiting is the first slot of a lane that is not in flight.
func (r *ring) waiting(k kind) int32 {
	l := &r.lanes[k]
	if l.flight == 0 {
		return l.head
	}
	return r.slot(l.flightTail).next
}

// drop removes the first record of a lane that is not in flight; there must be one.
func (r *ring) drop(k kind) {
	i := r.waiting(k)
	next := r.slot(i).next
	l := &r.lanes[k]
	if l.flight == 0 {
		l.head = next
	} else {
		r.slot(l.flightTail).next = next
	}
	if l.tail == i {
		l.tail = none
		if l.flight > 0 {
			l.tail = l.flightTail
		}
	}
	r.recycle(l, i)
}

// take puts the first records of a lane in flight, at most that many and of that size together, but
// one at least where there is one.
func (r *ring) take(k kind, maxRecords, maxBytes int) []*record {
	l := &r.lanes[k]
	batch := make([]*record, 0, min(l.count, maxRecords))
	bytes := 0
	for i := l.head; i != none && len(batch) < maxRecords; {
		s := r.slot(i)
		if bytes += s.size(); bytes > maxBytes && len(batch) > 0 {
			break
		}
		batch = append(batch, s)
		l.flightTail = i
		i = s.next
	}
	l.flight = len(batch)
	return batch
}

// release ends a flight that failed: its records wait again.
func (r *ring) release(k kind) { r.lanes[k].flight = 0 }

// settle removes the records in flight.
func (r *ring) settle(k kind) {
	l := &r.lanes[k]
	for n := l.flight; n > 0; n-- {
		i := l.head
		l.head = r.slot(i).next
		r.recycle(l, i)
	}
	if l.head == none {
		l.tail = none
	}
	l.flight = 0
}

func (r *ring) recycle(l *lane, i int32) {
	s := r.slot(i)
	r.bytes -= s.size()
	r.count--
	l.count--
	s.text = nil
	s.next = r.free
	r.free = i
}
