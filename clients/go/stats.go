package storageclient

// Stats is the account of a client's records since it was made. It is one consistent picture:
//
//	Recorded = Stored + Duplicate + Unconfirmed + Rejected + Dropped + Queued
//
// A no-op client's account stays empty.
type Stats struct {
	// Recorded counts the calls of the Record methods.
	Recorded uint64
	// Stored records are on the sidecar's disk, or in its server.
	Stored uint64
	// Duplicate records had been stored by an attempt before, whose answer was lost.
	Duplicate uint64
	// Unconfirmed records were left to the sidecar's memory: storage took longer than the client waits,
	// or is off.
	Unconfirmed uint64
	// Rejected records are invalid, to the sidecar or to the Record method.
	Rejected uint64
	// Dropped records made room for newer ones, came after the close, or were left at its end. The
	// sidecar may have some of them, where the answer to an attempt was lost.
	Dropped uint64
	// Queued records are in the ring, those in flight included.
	Queued uint64
	// QueuedBytes is what they take.
	QueuedBytes uint64
	// FailedAttempts counts requests that left their records where they were.
	FailedAttempts uint64
}

// Outcome is what became of a record.
type Outcome string

const (
	// Queued: it is in the ring.
	Queued Outcome = "queued"
	// Durable: it is stored, by this attempt or one before.
	Durable Outcome = "durable"
	// Unconfirmed: the sidecar has it and has not said that it is stored. Also the outcome of a
	// record where the sidecar refused some of a batch and did not say which.
	Unconfirmed Outcome = "unconfirmed"
	// Rejected: it is invalid.
	Rejected Outcome = "rejected"
	// Dropped: it left the ring unsent, or never came in.
	Dropped Outcome = "dropped"
)

// Observation is one step of one record's way.
type Observation struct {
	// Kind is audit_event, sandbox_event or cost_snapshot.
	Kind    string
	EventID string
	Outcome Outcome
}
