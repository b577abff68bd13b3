package storageclient

import (
	"context"
	"errors"
	"fmt"
	"time"
)

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

	// A request that the client gave up is no fault of the sidecar's. Where that cost records, the close
	// says so.
	isGivenUp := errors.Is(err, errClosing) || c.drain.Err() != nil
	if after.failures > before.failures && !isGivenUp {
		c.log.failed(k, after, err, queued)
	} else if err == nil && before.failures > 0 {
		c.log.recovered(k, before, queued)
	}
}

// settle takes the batch out of the ring as the answer says.
func (c *Client) settle(k kind, batch []*record, answer receipt) {
	n := uint64(len(batch))
	c.stats.Stored += answer.stored
	c.stats.Duplicate += answer.duplicates
	c.stats.Rejected += answer.rejectedCount
	c.stats.Unconfirmed += n - answer.stored - answer.duplicates - answer.rejectedCount
	if answer.isForeign {
		c.log.foreign(k, answer.status, len(batch))
	}
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
		c.closeErr = fmt.Errorf("storageclient: the close had to end before %d records were sent: %w", left, context.Cause(c.drain))
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
