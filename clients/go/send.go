package storageclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

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
	// queue is small would else refuse every second batch. After raiseAfter successes it is tried again.
	ceiling   int
	successes int
}

// raiseAfter is how many successes it takes to try a larger batch than the last that was refused.
const raiseAfter = 1_000

// succeed is the pace after a success; most records are in any batch.
func (p pace) succeed(most int) pace {
	next := pace{ceiling: p.ceiling, successes: p.successes + 1}
	if next.successes >= raiseAfter {
		next.ceiling, next.successes = min(2*p.ceiling, most), 0
	}
	next.limit = min(2*p.limit, next.ceiling)
	return next
}

// run is the sender: it sends the lane whose first record is the oldest of all lanes that do not
// pause, and sleeps when there is none.
func (c *Client) run() {
	defer close(c.done)
	defer c.log.scribe.end()
	defer c.api.close()
	for c.drain.Err() == nil {
		k, batch, until, isDone := c.next()
		if isDone {
			break
		}
		if batch != nil {
			c.send(k, batch)
		}
		due := c.tellLosses(false)
		if batch == nil {
			c.sleep(earliest(until, due))
		}
	}
	c.end()
}

// earliest of two times, of which zero ones do not count.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// next puts the next batch in flight. Without one it tells until when to sleep, a zero time meaning
// until something is recorded, or that all is done.
func (c *Client) next() (k kind, batch []*record, until time.Time, isDone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	k = kinds
	for candidate := range kinds {
		l := &c.ring.lanes[candidate]
		if l.count == 0 {
			continue
		}
		if pause := c.lanes[candidate].until; pause.After(now) {
			if until.IsZero() || pause.Before(until) {
				until = pause
			}
		} else if k == kinds || c.ring.slot(l.head).seq < c.ring.slot(c.ring.lanes[k].head).seq {
			k = candidate
		}
	}
	if k != kinds {
		return k, c.ring.take(k, c.lanes[k].limit, c.pacing.maxBytes), until, false
	}
	c.isIdle = true
	return k, nil, until, c.isClosed && c.ring.count == 0
}

func (c *Client) sleep(until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-c.wake:
	case <-due:
	case <-c.drain.Done():
	}
}

// send makes one attempt and draws the consequences.
func (c *Client) send(k kind, batch []*record) {
	body := encodeBatch(k, batch)
	ctx, wait, cancel := c.attempt()
	answer, err := c.api.post(ctx, k, body, len(batch), wait)
	cancel()

	c.mu.Lock()
	lane := &c.lanes[k]
	before := *lane
	var f *failure
	isSpoilt := errors.As(err, &f) && f.verdict == spoilt
	if isSpoilt && len(batch) == 1 {
		// The larger ones may have been refused for this record's sake.
		lane.ceiling = c.pacing.maxRecords
		answer, err = receipt{rejectedCount: 1, rejected: []rejection{{Problem: f.reason}}}, nil
	}
	switch {
	case err == nil:
		c.learn(answer, wait)
		c.settle(k, batch, answer)
		*lane = lane.succeed(c.pacing.maxRecords)
	case isSpoilt:
		c.ring.release(k)
		c.stats.FailedAttempts++
		lane.limit = len(batch) / 2
		lane.ceiling, lane.successes = lane.limit, 0
	default:
		c.ring.release(k)
		c.stats.FailedAttempts++
		c.pause(lane, f)
		if f != nil && f.verdict == strained {
			lane.limit = max(1, len(batch)/2)
		}
	}
	after, queued := *lane, c.ring.count
	c.mu.Unlock()

	if after.failures > before.failures {
		c.log.failed(k, after, err, queued)
	} else if err == nil && before.failures > 0 {
		c.log.recovered(k, before, queued)
	}
}

// attempt bounds one request, and tells how long it waits for storage.
//
// Waiting keeps records here until they are durable, at the price of one batch a wait while storage is
// down. Before the ring overflows, the sidecar's memory is the better place, which has room for more.
//
// While the client closes, the time that is left is parted, so that a storage that is slow and a sidecar
// that hangs each leave time for another try.
func (c *Client) attempt() (context.Context, time.Duration, context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait, timeout := c.pacing.wait, c.pacing.timeout
	if c.isUnconfirmed && c.ring.isCrowded() {
		wait = 0
		if now := time.Now(); !c.probeAt.After(now) {
			wait = probeWait
			c.probeAt = now.Add(c.pacing.probeEvery)
		}
	}
	if !c.deadline.IsZero() {
		left := time.Until(c.deadline)
		wait = min(wait, left/4)
		timeout = min(timeout, max(left/2, 250*time.Millisecond))
	}
	ctx, cancel := bounded(c.drain, timeout)
	c.cut = cancel
	return ctx, wait, cancel
}

// learn notes whether storage confirmed what it had so long for.
func (c *Client) learn(answer receipt, wait time.Duration) {
	switch {
	case answer.status == http.StatusCreated:
		c.isUnconfirmed = false
	case answer.status == http.StatusAccepted && wait >= time.Second:
		c.isUnconfirmed = true
		c.probeAt = time.Now().Add(c.pacing.probeEvery)
	}
}

// hasten brings the end of the close nearer. A request that is under way may wait for storage for longer
// than there is time: it is cut in good time for another one.
func (c *Client) hasten(deadline time.Time) {
	c.deadline = deadline
	if c.cut != nil {
		time.AfterFunc(time.Until(deadline)/3, c.cut)
	}
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

// settle takes the batch out of the ring as the answer says.
func (c *Client) settle(k kind, batch []*record, answer receipt) {
	n := uint64(len(batch))
	c.stats.Stored += answer.stored
	c.stats.Duplicate += answer.duplicates
	c.stats.Rejected += answer.rejectedCount
	c.stats.Unconfirmed += n - answer.stored - answer.duplicates - answer.rejectedCount
	if answer.rejectedCount > 0 {
		c.hasNews = true
		id := ""
		if len(answer.rejected) > 0 {
			id = batch[answer.rejected[0].Index].id.String()
		}
		c.log.reject(k, answer, id)
	}
	if c.observe != nil {
		for i, r := range batch {
			c.observe(Observation{k.String(), r.id.String(), answer.outcome(i, len(batch))})
		}
	}
	c.ring.settle(k)
}

// end counts what is left and makes the error of the close.
func (c *Client) end() {
	c.mu.Lock()
	left := c.ring.count
	for c.dropOldest() {
	}
	if left > 0 {
		c.closeErr = fmt.Errorf("storageclient: the close had to end before %d records were sent", left)
	}
	c.mu.Unlock()
	if left > 0 {
		c.log.abandoned(left)
	}
	c.tellLosses(true)
}

// tellLosses tells the losses that are new, at most every ten seconds; isLast tells them in any case. It
// returns when to call again, a zero time where there is nothing to tell.
func (c *Client) tellLosses(isLast bool) time.Time {
	c.mu.Lock()
	if !c.hasNews {
		c.mu.Unlock()
		return time.Time{}
	}
	now := time.Now()
	if due := c.log.toldAt.Add(logEvery); due.After(now) && !isLast {
		c.mu.Unlock()
		return due
	}
	c.hasNews = false
	l := losses{c.stats.Dropped, c.refused, c.refusal}
	c.mu.Unlock()
	c.log.tell(l, now)
	return time.Time{}
}
