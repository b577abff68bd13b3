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

	toldFailure [kinds]time.Time

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

// failed tells a lane's first failure, and every ten seconds that it lasts.
func (j *journalist) failed(k kind, p pace, err error, queued int) {
	now := time.Now()
	if p.failures > 1 && now.Sub(j.toldFailure[k]) < logEvery {
		return
	}
	j.toldFailure[k] = now
	j.scribe.note(slog.LevelWarn, "the storage sidecar did not take records; they wait",
		"kind", k.String(), "reason", err.Error(), "failures", p.failures, "queued", queued)
}

// recovered tells the end of a lane's failures.
func (j *journalist) recovered(k kind, p pace, queued int) {
	j.scribe.note(slog.LevelInfo, "the storage sidecar takes records again",
		"kind", k.String(), "failures", p.failures, "after", time.Since(p.since).Round(time.Millisecond).String(),
		"queued", queued)
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
