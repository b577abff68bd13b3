package storageclient

import (
	"math/rand/v2"
	"time"
)

// pace is one kind's pace.
type pace struct {
	// until then the lane pauses after a failure.
	until time.Time
	// failures in a row, and since when.
	failures int
	since    time.Time
	// limit of a batch's records: halved where a batch may be too much, or may hold a record that
	// spoils it; doubled by each success, up to ceiling.
	limit int
	// ceiling is what remains of the last batch that was refused for being what it was: a sidecar whose
	// queue is small would else refuse every second batch. After some successes more is tried again.
	ceiling   int
	successes int
}

// raiseAfter is how many successes it takes to try a larger batch than the last that was refused: the
// fewer, the smaller that was, since few large records are soon behind.
func raiseAfter(ceiling int) int { return min(max(16, 4*ceiling), 1_000) }

// succeed is the pace after a success; most records are in any batch.
func (p pace) succeed(most int) pace {
	next := pace{ceiling: p.ceiling, successes: p.successes + 1}
	if next.successes >= raiseAfter(p.ceiling) {
		next.ceiling, next.successes = min(2*p.ceiling, most), 0
	}
	next.limit = min(2*p.limit, next.ceiling)
	return next
}

// pause sets when a lane may try again after a failure.
func (c *Client) pause(lane *pace, f *failure) {
	now := time.Now()
	if lane.failures == 0 {
		lane.since = now
	}
	most := c.pacing.maxPause
	// Shifted further it would overflow long after it has passed the maximum.
	if n := lane.failures; n < 16 {
		most = min(most, c.pacing.firstPause<<n)
	}
	lane.failures++
	delay := time.Duration(rand.Int64N(int64(most) + 1))
	if f != nil {
		delay = max(delay, min(f.retryAfter, c.pacing.maxRetryAfter))
	}
	if c.isClosed {
		delay = min(delay, c.pacing.closingPause)
	}
	lane.until = now.Add(delay)
}
