package storageclient

import "time"

// pacing holds what decides when, how much and how long the sender sends.
type pacing struct {
	// A batch holds at most so many records, and so many bytes in the ring. Escaped in full it stays
	// below the sidecar's 8 MiB a body.
	maxRecords int
	maxBytes   int
	// wait is what a request prefers to wait for storage; it is given up after timeout.
	wait    time.Duration
	timeout time.Duration
	// While storage is down and the ring is crowded, requests do not wait, but for one every probeEvery.
	probeEvery time.Duration
	// listTimeout is how long a list waits for a page: longer than the sidecar, which answers 503 after
	// 30 s without one.
	listTimeout time.Duration
	// The n-th attempt in a row to fail is followed by a pause of up to firstPause * 2^n, and at most
	// maxPause, chosen at random: clients that lost one sidecar do not come back in step.
	firstPause time.Duration
	maxPause   time.Duration
	// A Retry-After is honoured up to maxRetryAfter.
	maxRetryAfter time.Duration
	// No pause is longer than closingPause while the client closes.
	closingPause time.Duration
}

// probeWait is how long a request waits to learn whether storage is back.
const probeWait = time.Second

var defaultPacing = pacing{
	maxRecords:    4_000,
	maxBytes:      1 << 20,
	wait:          10 * time.Second,
	timeout:       15 * time.Second,
	probeEvery:    10 * time.Second,
	listTimeout:   35 * time.Second,
	firstPause:    100 * time.Millisecond,
	maxPause:      5 * time.Second,
	maxRetryAfter: time.Minute,
	closingPause:  250 * time.Millisecond,
}
