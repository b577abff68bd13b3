package storageclient

import "time"

// SandboxEvent is a transition in the life of a sandbox. SandboxID and Phase are required. A zero
// Time means now.
type SandboxEvent struct {
	Time        time.Time
	SandboxID   string
	SandboxName string
	Namespace   string
	Phase       string
	Reason      string
	Message     string
}

// AuditEvent is something that a user, an operator or the platform did. Action and Resource are
// required. A zero Time means now.
type AuditEvent struct {
	Time      time.Time
	Actor     string
	Action    string
	Resource  string
	SandboxID string
	Details   string
}

// CostSnapshot is what a sandbox used since the snapshot before. SandboxID is required; numbers are
// finite and not negative. A zero Time means now.
type CostSnapshot struct {
	Time         time.Time
	SandboxID    string
	Namespace    string
	CPUHours     float64
	MemGBHours   float64
	EstimatedUSD float64
}

// AuditFilter narrows a list of audit events. Zero values mean no constraint.
type AuditFilter struct {
	Actor     string
	SandboxID string
	// Since is inclusive.
	Since time.Time
	// Limit is the most events to return; 0 or less means all there are.
	Limit int
}

// kind is a kind of record. Each has a path of its own, and its records keep their order.
type kind uint8

const (
	auditEvent kind = iota
	sandboxEvent
	costSnapshot
	kinds
)

const (
	maxTexts   = 6
	maxNumbers = 3
)

// layouts tells how each kind looks on the wire: its path, and the names of its texts and numbers
// in the order in which a record holds them.
var layouts = [kinds]struct {
	name    string
	path    string
	texts   []string
	numbers []string
}{
	auditEvent: {
		name:  "audit_event",
		path:  "/v1/audit-events",
		texts: []string{"actor", "action", "resource", "sandbox_id", "details"},
	},
	sandboxEvent: {
		name:  "sandbox_event",
		path:  "/v1/sandbox-events",
		texts: []string{"sandbox_id", "sandbox_name", "namespace", "phase", "reason", "message"},
	},
	costSnapshot: {
		name:    "cost_snapshot",
		path:    "/v1/cost-snapshots",
		texts:   []string{"sandbox_id", "namespace"},
		numbers: []string{"cpu_hours", "mem_gb_hours", "estimated_usd"},
	},
}

func (k kind) String() string { return layouts[k].name }

// record is one record in the ring. Nothing of it changes between push and settle but next.
type record struct {
	// text holds all texts, one after another: a copy, so that a short text cut from a large one
	// does not keep the large one in memory.
	text    []byte
	ends    [maxTexts]uint32
	numbers [maxNumbers]float64
	sec     int64
	nsec    int32
	// next is the slot behind this one in its lane, or among the free.
	next int32
	// seq tells which of two records of different kinds is the older.
	seq uint64
	id  eventID
}

// size is what a record counts towards the ring's bytes: its texts, and its slot.
func (r *record) size() int { return len(r.text) + slotBytes }
