package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	// Each power of two is parted into so many buckets: a figure is at most 1/32 too high.
	subBits    = 5
	subBuckets = 1 << subBits
	buckets    = (64 - subBits + 1) * subBuckets
)

// histogram counts durations in buckets that widen with them.
type histogram struct {
	counts [buckets]atomic.Uint64
	max    atomic.Uint64
}

func (h *histogram) add(d time.Duration) {
	nanos := uint64(max(0, d))
	h.counts[bucketOf(nanos)].Add(1)
	for {
		most := h.max.Load()
		if nanos <= most || h.max.CompareAndSwap(most, nanos) {
			return
		}
	}
}

func bucketOf(nanos uint64) int {
	if nanos < subBuckets {
		return int(nanos)
	}
	shift := bits.Len64(nanos) - subBits - 1
	return shift<<subBits + int(nanos>>shift)
}

// ceiling is the largest duration of a bucket.
func ceiling(bucket int) uint64 {
	if bucket < 2*subBuckets {
		return uint64(bucket)
	}
	shift := bucket>>subBits - 1
	return (uint64(bucket&(subBuckets-1))+subBuckets+1)<<shift - 1
}

// quantiles are latencies in milliseconds.
type quantiles struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

func (h *histogram) read() quantiles {
	var counts [buckets]uint64
	q := quantiles{Max: float64(h.max.Load()) / 1e6}
	for i := range counts {
		counts[i] = h.counts[i].Load()
		q.Count += counts[i]
	}
	at := func(share float64) float64 {
		rank := uint64(share * float64(q.Count))
		for i, n := range counts {
			if rank < n {
				return min(float64(ceiling(i))/1e6, q.Max)
			}
			rank -= n
		}
		return q.Max
	}
	q.P50, q.P90, q.P99, q.P999 = at(0.5), at(0.9), at(0.99), at(0.999)
	return q
}

// reset begins anew; what is added meanwhile may be lost.
func (h *histogram) reset() {
	for i := range h.counts {
		h.counts[i].Store(0)
	}
	h.max.Store(0)
}
