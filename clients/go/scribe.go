package storageclient

import (
	"context"
	"log/slog"
	"time"
)

const (
	// maxNotes wait for the log at most; what comes beyond is left out, and counted in the next note.
	maxNotes = 64
	// logPatience is what a close gives a log for its last notes once all records have left, and
	// logGrace what one whose own time is over gives it.
	logPatience = time.Second
	logGrace    = 100 * time.Millisecond
)

// scribe writes notes to the log in a goroutine of its own: a log may block, and must then hold up
// neither the sender nor a close.
type scribe struct {
	notes   chan slog.Record
	omitted int
	// done is closed when the last note has been written.
	done chan struct{}
}

func newScribe(handler slog.Handler) *scribe {
	s := &scribe{notes: make(chan slog.Record, maxNotes), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for note := range s.notes {
			// The question too is the caller's code, which may block.
			if handler.Enabled(context.Background(), note.Level) {
				// A log that fails has nowhere to say so.
				_ = handler.Handle(context.Background(), note)
			}
		}
	}()
	return s
}

// note has a note written, with the time of now. It calls none of the caller's code, and never waits.
func (s *scribe) note(level slog.Level, message string, args ...any) {
	note := slog.NewRecord(time.Now(), level, message, 0)
	note.Add(args...)
	if s.omitted > 0 {
		note.Add("notes_omitted", s.omitted)
	}
	select {
	case s.notes <- note:
		s.omitted = 0
	default:
		s.omitted++
	}
}

// end lets the scribe end after the notes that it has. There must be none after it.
func (s *scribe) end() { close(s.notes) }

// wait waits until all notes are written, at most logPatience, or logGrace from the end of the context on.
func (s *scribe) wait(ctx context.Context) {
	patience := time.NewTimer(logPatience)
	defer patience.Stop()
	select {
	case <-s.done:
	case <-patience.C:
	case <-ctx.Done():
		select {
		case <-s.done:
		case <-time.After(logGrace):
		}
	}
}
