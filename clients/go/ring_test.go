package storageclient

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// model is a ring in its simplest form.
type model struct {
	lanes  [kinds][]uint64
	flight [kinds]int
}

func TestRingKeepsOrderAndBoundsWhateverIsDone(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		capacity := 1 + random.IntN(40)
		r := newRing(capacity, 1<<20)
		var m model
		flying := kinds
		for range 2_000 {
			k := kind(random.IntN(int(kinds)))
			switch random.IntN(6) {
			case 0, 1, 2:
				if !r.hasRoom(3) {
					drop(t, r, &m)
				}
				if r.hasRoom(3) {
					m.lanes[k] = append(m.lanes[k], r.push(k, []byte("abc")).seq)
				}
			case 3:
				if flying == kinds && len(m.lanes[k]) > 0 {
					n := 1 + random.IntN(10)
					batch := r.take(k, n, 1<<20)
					m.flight[k] = min(n, len(m.lanes[k]))
					var seqs []uint64
					for _, s := range batch {
						seqs = append(seqs, s.seq)
					}
					if !slices.Equal(seqs, m.lanes[k][:m.flight[k]]) {
						t.Fatalf("seed %d: took %v of %v", seed, seqs, m.lanes[k])
					}
					flying = k
				}
			case 4:
				drop(t, r, &m)
			case 5:
				if flying == kinds {
					continue
				}
				if random.IntN(2) == 0 {
					r.settle(flying)
					m.lanes[flying] = m.lanes[flying][m.flight[flying]:]
				} else {
					r.release(flying)
				}
				m.flight[flying] = 0
				flying = kinds
			}
			compare(t, r, &m)
		}
	}
}

// drop drops the oldest of both, if it may be.
func drop(t *testing.T, r *ring, m *model) {
	t.Helper()
	want := kinds
	for k := range kinds {
		rest := m.lanes[k][m.flight[k]:]
		if len(rest) > 0 && (want == kinds || rest[0] < m.lanes[want][m.flight[want]]) {
			want = k
		}
	}
	k, ok := r.oldest()
	if ok != (want != kinds) || ok && k != want {
		t.Fatalf("the oldest is %v, want %v", k, want)
	}
	if ok {
		r.drop(k)
		m.lanes[k] = slices.Delete(m.lanes[k], m.flight[k], m.flight[k]+1)
	}
}

func compare(t *testing.T, r *ring, m *model) {
	t.Helper()
	count := 0
	for k := range kinds {
		var seqs []uint64
		for i := r.lanes[k].head; i != none; i = r.slot(i).next {
			seqs = append(seqs, r.slot(i).seq)
		}
		if !slices.Equal(seqs, m.lanes[k]) || r.lanes[k].count != len(seqs) {
			t.Fatalf("lane %v is %v, want %v", k, seqs, m.lanes[k])
		}
		count += len(seqs)
	}
	if r.count != count || r.bytes != count*(3+slotBytes) || r.used > r.capacity {
		t.Fatalf("count %d, bytes %d, used %d of %d; want %d", r.count, r.bytes, r.used, r.capacity, count)
	}
}

func TestABatchIsBoundedByBytesButNeverEmpty(t *testing.T) {
	r := newRing(100, 1<<30)
	r.push(auditEvent, make([]byte, 1000))
	r.push(auditEvent, make([]byte, 10))
	if n := len(r.take(auditEvent, 100, 500)); n != 1 {
		t.Errorf("took %d", n)
	}
	r.settle(auditEvent)
	r.push(auditEvent, make([]byte, 10))
	if n := len(r.take(auditEvent, 100, 500)); n != 2 {
		t.Errorf("took %d", n)
	}
}
