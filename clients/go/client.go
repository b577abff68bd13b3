package storageclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"
)

// URLVariable is the environment variable that [NewFromEnv] reads.
const URLVariable = "STORAGE_SIDECAR_URL"

// Bounds of the ring where Options name none. Records of a usual size reach both at about the same
// time.
const (
	DefaultMaxRecords = 65_536
	DefaultMaxBytes   = 16 << 20
)

// The least bounds of a ring. Half of it may be in flight, which cannot make room: the other half must
// hold any one record.
const (
	minRecords = 2
	minBytes   = 1 << 20
)

// CloseTimeout is how long Close drains.
const CloseTimeout = 5 * time.Second

// maxText is the most text of one record, which with its slot is below half of minBytes. The sidecar
// refuses such records whatever they hold.
const maxText = 511 << 10

var (
	// ErrClosed is returned for records that come after the close. They are counted as dropped.
	ErrClosed = errors.New("storageclient: closed")
	// ErrInvalid is wrapped by the errors for records that cannot be sent. They are counted as
	// rejected.
	ErrInvalid = errors.New("storageclient: invalid record")
)

var (
	errNumber = fmt.Errorf("%w: a number is NaN or infinite", ErrInvalid)
	errTime   = fmt.Errorf("%w: its time is not between the years 1 and 9999", ErrInvalid)
	errText   = fmt.Errorf("%w: it has more than 511 KiB of text", ErrInvalid)
)

// Options configure a client. The zero value is a no-op client's.
type Options struct {
	// URL is where the sidecar listens: http://127.0.0.1:8085, or unix:/path/of/a.sock for a sidecar
	// behind a Unix socket. Empty makes a no-op client.
	URL string
	// Logger gets what an operator should know; slog.Default() when nil. No record's content is
	// ever logged, and nothing waits for a log that blocks.
	Logger *slog.Logger
	// MaxRecords and MaxBytes bound the ring; 0 means the default, and the least are 2 records and
	// 1 MiB. A record counts its texts and some hundred bytes more.
	MaxRecords int
	MaxBytes   int
	// Observe, when set, is told of each step of each record: for journals and tests. It is called
	// under the client's lock, in the order in which things happen, so it must be quick and must not
	// call the client. Nor should it panic: in a Record method its panic is the caller's, who may
	// recover and go on with the client, but in the sender it ends the program.
	Observe func(Observation)
}

// Client records to the sidecar. It is safe for concurrent use; make one with [New].
type Client struct {
	// ring is nil in a no-op client; nothing below is used then.
	ring    *ring
	api     *api
	log     *journalist
	observe func(Observation)
	pacing  pacing

	mu sync.Mutex
	// stats lack what the ring knows; both are guarded by mu, like all that follows.
	stats Stats
	lanes [kinds]pace
	// isUnconfirmed: storage did not come in the time of the last request that waited for it; at
	// probeAt a request waits again, however full the ring is.
	isUnconfirmed bool
	probeAt       time.Time
	// refused are the records that a Record method rejected, and refusal why it did the last.
	refused uint64
	refusal error
	// hasNews: something was lost that the sender has not told.
	hasNews  bool
	isClosed bool
	// isIdle: the sender sleeps and wants to be woken.
	isIdle   bool
	closeErr error
	// deadline is when the close must have ended; zero where it has none, or has not begun.
	deadline time.Time
	// cut ends the request that is under way.
	cut context.CancelCauseFunc

	wake chan struct{}
	// drain ends when a close's time is over; done is closed when the sender has ended.
	drain   context.Context
	abandon context.CancelCauseFunc
	done    chan struct{}
}

// New makes a client and starts its sender. The sidecar need not be there yet.
func New(options Options) (*Client, error) { return newClient(options, defaultPacing) }

// NewFromEnv is New with the URL of the environment variable STORAGE_SIDECAR_URL, in place of the
// one in options.
func NewFromEnv(options Options) (*Client, error) {
	options.URL = os.Getenv(URLVariable)
	return New(options)
}

func newClient(options Options, pacing pacing) (*Client, error) {
	if options.URL == "" {
		return &Client{}, nil
	}
	api, err := newAPI(options.URL)
	if err != nil {
		return nil, err
	}
	maxRecords, err := bound("MaxRecords", options.MaxRecords, DefaultMaxRecords, minRecords, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	maxBytes, err := bound("MaxBytes", options.MaxBytes, DefaultMaxBytes, minBytes, math.MaxInt)
	if err != nil {
		return nil, err
	}
	logger := options.Logger
	if logger == nil {
		logger = slog.Default()
	}
	c := &Client{
		ring:    newRing(maxRecords, maxBytes),
		api:     api,
		log:     &journalist{scribe: newScribe(logger.Handler())},
		observe: options.Observe,
		pacing:  pacing,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
	c.pacing.maxRecords = min(pacing.maxRecords, maxRecords/2)
	c.pacing.maxBytes = min(pacing.maxBytes, maxBytes/2)
	for k := range c.lanes {
		c.lanes[k].limit, c.lanes[k].ceiling = c.pacing.maxRecords, c.pacing.maxRecords
	}
	c.drain, c.abandon = context.WithCancelCause(context.Background())
	go c.run()
	return c, nil
}

func bound(name string, value, fallback, least, most int) (int, error) {
	if value == 0 {
		return fallback, nil
	}
	if value < least || value > most {
		return 0, fmt.Errorf("storageclient: %s must be between %d and %d, or 0 for %d", name, least, most, fallback)
	}
	return value, nil
}

// Enabled tells whether there is a sidecar to record to; a no-op client has none.
func (c *Client) Enabled() bool { return c.ring != nil }

// RecordSandboxEvent queues a sandbox event. It never waits; the context is not used. The error is
// nil once the event is queued, else ErrClosed or one that wraps ErrInvalid.
func (c *Client) RecordSandboxEvent(_ context.Context, e SandboxEvent) error {
	texts := [maxTexts]string{e.SandboxID, e.SandboxName, e.Namespace, e.Phase, e.Reason, e.Message}
	return c.record(sandboxEvent, e.Time, &texts, nil)
}

// RecordAuditEvent queues an audit event, as RecordSandboxEvent does.
func (c *Client) RecordAuditEvent(_ context.Context, e AuditEvent) error {
	texts := [maxTexts]string{e.Actor, e.Action, e.Resource, e.SandboxID, e.Details}
	return c.record(auditEvent, e.Time, &texts, nil)
}

// RecordCostSnapshot queues a cost snapshot, as RecordSandboxEvent does.
func (c *Client) RecordCostSnapshot(_ context.Context, s CostSnapshot) error {
	texts := [maxTexts]string{s.SandboxID, s.Namespace}
	numbers := [maxNumbers]float64{s.CPUHours, s.MemGBHours, s.EstimatedUSD}
	return c.record(costSnapshot, s.Time, &texts, &numbers)
}

func (c *Client) record(k kind, when time.Time, texts *[maxTexts]string, numbers *[maxNumbers]float64) error {
	if c.ring == nil {
		return nil
	}
	now := time.Now()
	if when.IsZero() {
		when = now
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	id := newEventID(now)
	if err := check(when.Unix(), size, numbers); err != nil {
		c.refuse(k, id, err)
		return err
	}
	text := make([]byte, 0, size)
	var ends [maxTexts]uint32
	for i := range texts {
		text = append(text, texts[i]...)
		ends[i] = uint32(len(text))
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed {
		c.stats.Recorded++
		c.left(k, id, Dropped)
		return ErrClosed
	}
	for !c.ring.hasRoom(size) && c.dropOldest() {
	}
	c.stats.Recorded++
	r := c.ring.push(k, text)
	r.ends = ends
	if numbers != nil {
		r.numbers = *numbers
	}
	r.sec, r.nsec = when.Unix(), int32(when.Nanosecond())
	r.id = id
	// A sender that sleeps knows of the lanes that are not empty and wakes when their pauses end.
	if c.ring.lanes[k].count == 1 {
		c.stir()
	}
	// Last, as everywhere: what panics leaves the account whole.
	if c.observe != nil {
		c.observe(Observation{k.String(), id.String(), Queued})
	}
	return nil
}

// check refuses what JSON cannot say, or what no sidecar takes and the ring should not carry.
func check(sec int64, size int, numbers *[maxNumbers]float64) error {
	if sec < minUnix || sec > maxUnix {
		return errTime
	}
	if size > maxText {
		return errText
	}
	if numbers != nil {
		for _, n := range numbers {
			// Of the infinite and NaN, and of no other, the difference to itself is not 0.
			if n-n != 0 {
				return errNumber
			}
		}
	}
	return nil
}

// refuse counts a record that cannot be sent; the sender tells it.
func (c *Client) refuse(k kind, id eventID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Recorded++
	c.refused++
	c.refusal = err
	c.left(k, id, Rejected)
}

// dropOldest makes room; false when all that is left is in flight.
func (c *Client) dropOldest() bool {
	k, ok := c.ring.oldest()
	if !ok {
		return false
	}
	id := c.ring.slot(c.ring.waiting(k)).id
	c.ring.drop(k)
	c.left(k, id, Dropped)
	return true
}

// left counts a record that is not in the ring.
func (c *Client) left(k kind, id eventID, outcome Outcome) {
	switch outcome {
	case Rejected:
		c.stats.Rejected++
	case Dropped:
		c.stats.Dropped++
	}
	// Once is enough: until the sender has told it, it knows when to.
	if !c.hasNews {
		c.hasNews = true
		c.stir()
	}
	if c.observe != nil {
		c.observe(Observation{k.String(), id.String(), outcome})
	}
}

// stir wakes the sender if it sleeps.
func (c *Client) stir() {
	if !c.isIdle {
		return
	}
	c.isIdle = false
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Stats returns the account so far.
func (c *Client) Stats() Stats {
	if c.ring == nil {
		return Stats{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Queued, stats.QueuedBytes = uint64(c.ring.count), uint64(c.ring.bytes)
	return stats
}

// Close is Shutdown with CloseTimeout. Call it after all that records has ended: last of all.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), CloseTimeout)
	defer cancel()
	return c.Shutdown(ctx)
}

// Shutdown takes no more records, sends what is queued until the context ends, and ends the sender.
// As the context's deadline comes nearer it waits less for storage, and is content with the
// sidecar's 202.
//
// The error tells how many records were left; they are counted as dropped. It wraps the error of the
// context that ended the drain, such as context.DeadlineExceeded, and its cause. It may be called more
// than once: the nearest deadline counts, and the first context to end ends the drain.
func (c *Client) Shutdown(ctx context.Context) error {
	if c.ring == nil {
		return nil
	}
	c.mu.Lock()
	if !c.isClosed {
		c.isClosed = true
		for k := range c.lanes {
			c.lanes[k].until = time.Time{}
		}
		c.stir()
	}
	if deadline, ok := ctx.Deadline(); ok && (c.deadline.IsZero() || deadline.Before(c.deadline)) {
		c.hasten(deadline)
	}
	c.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		c.abandon(ended(ctx))
		<-c.done
	}
	c.log.scribe.wait(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closeErr
}

// ended is why a context has ended: its error, which callers look for, and its cause where it has one of
// its own.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
