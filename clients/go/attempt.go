package storageclient

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// errClosing is why the client itself cuts a request, so that there is time for another one.
var errClosing = errors.New("given up because the client closes")

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
		share := left / 4
		if left >= 3*time.Second {
			// It is told in whole seconds, and a disk has moments of one.
			share = max(share, time.Second)
		}
		wait = min(wait, share)
		timeout = min(timeout, max(left/2, 250*time.Millisecond))
	}
	ctx, cut := context.WithCancelCause(c.drain)
	ctx, cancel := bounded(ctx, timeout)
	c.cut = cut
	return ctx, wait, func() { cancel(); cut(nil) }
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
	if cut := c.cut; cut != nil {
		time.AfterFunc(time.Until(deadline)/3, func() { cut(errClosing) })
	}
}
