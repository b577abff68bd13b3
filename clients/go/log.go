package storageclient

import (
	"log/slog"
	"time"
)

// logEvery is how often the same thing is told again.
const logEvery = 10 * time.Second

// journalist decides what an operator is told, without any record's content. Only the sender calls
// it.
type journalist struct {
	scribe *scribe

	// When a lane's failure was last told, and whether one was whose end has not been.
	toldFailure [kinds]time.Time
	isTold      [kinds]bool
	toldForeign time.Time

	// What has been told of losses, and when.
	toldAt      time.Time
	toldDropped uint64
	toldRefused uint64
	rejected    rejections
}

// rejections are those of the sidecar that have not been told.
type rejections struct {
	count uint64
	// Of the last of them:
	kind    kind
	problem string
	eventID string
}

// losses is what a client has lost so far without a word from the sender.
type losses struct {
	dropped uint64
	refused uint64
	// why the last was refused.
	why error
}

// failed tells a lane's failure, every ten seconds at most: one that comes and goes would else fill the
// log.
func (j *journalist) failed(k kind, p pace, err error, queued int) {
	now := time.Now()
	if now.Sub(j.toldFailure[k]) < logEvery {
		return
	}
	j.toldFailure[k] = now
	j.isTold[k] = true
	j.scribe.note(slog.LevelWarn, "the storage sidecar did not take records; they wait",
		"kind", k.String(), "reason", err.Error(), "failures", p.failures, "queued", queued)
}

// recovered tells the end of a lane's failures, if they were told.
func (j *journalist) recovered(k kind, p pace, queued int) {
	if !j.isTold[k] {
		return
	}
	j.isTold[k] = false
	j.scribe.note(slog.LevelInfo, "the storage sidecar takes records again",
		"kind", k.String(), "failures", p.failures, "after", time.Since(p.since).Round(time.Millisecond).String(),
		"queued", queued)
}

// foreign tells that records were taken by what does not answer as a sidecar does.
func (j *journalist) foreign(k kind, status, records int) {
	now := time.Now()
	if now.Sub(j.toldForeign) < logEvery {
		return
	}
	j.toldForeign = now
	j.scribe.note(slog.LevelWarn, "what took the records does not answer as a storage sidecar does: check its URL",
		"kind", k.String(), "status", status, "records", records)
}

// reject notes records that the sidecar refused.
func (j *journalist) reject(k kind, r receipt, eventID string) {
	j.rejected.count += r.rejectedCount
	if len(r.rejected) > 0 {
		j.rejected.kind = k
		j.rejected.problem = truncate(r.rejected[0].Problem)
		j.rejected.eventID = eventID
	}
}

// tell tells the losses that are new.
func (j *journalist) tell(l losses, now time.Time) {
	if n := l.dropped - j.toldDropped; n > 0 {
		j.scribe.note(slog.LevelWarn, "dropped records: the ring was full, or the client closed", "records", n)
	}
	if n := l.refused - j.toldRefused; n > 0 {
		j.scribe.note(slog.LevelWarn, "refused records that cannot be sent", "records", n, "last_reason", l.why.Error())
	}
	if r := j.rejected; r.count > 0 {
		j.scribe.note(slog.LevelWarn, "the storage sidecar rejected records", "records", r.count,
			"last_kind", r.kind.String(), "last_problem", r.problem, "last_event_id", r.eventID)
	}
	j.toldAt, j.toldDropped, j.toldRefused, j.rejected = now, l.dropped, l.refused, rejections{}
}

// abandoned tells what was left at the end of a close.
func (j *journalist) abandoned(records int) {
	j.scribe.note(slog.LevelError, "the close had to end before all records were sent", "records", records)
	j.toldDropped += uint64(records)
}
