package storageclient

// How a client ends.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestACloseEndsWithItsContextWhateverTheSidecarDoes(t *testing.T) {
	t.Run("away", func(t *testing.T) { closeInTime(t, "http://127.0.0.1:1") })
	t.Run("black hole", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		closeInTime(t, "http://"+listener.Addr().String())
	})
	t.Run("hung in its answer", func(t *testing.T) {
		f := startFake(t)
		over := make(chan struct{})
		f.set(func(w http.ResponseWriter, _ request) bool {
			w.WriteHeader(201)
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-over
			return true
		})
		closeInTime(t, f.URL)
		close(over)
	})
}

func TestTheLogBlamesNoSidecarForWhatTheClosingClientGaveUp(t *testing.T) {
	for name, answers := range map[string]bool{"and the close ends well": true, "and the close has to end": false} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			over := make(chan struct{})
			defer close(over)
			// Storage never comes: what does not wait for it is answered, or nothing is.
			f.set(func(_ http.ResponseWriter, r request) bool {
				if r.prefer != "" || !answers {
					<-over
				}
				return false
			})
			log := &logBuffer{}
			c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
			audit(t, c, 0, 3)
			eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
			ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
			defer cancel()
			err := c.Shutdown(ctx)
			if (err == nil) != answers {
				t.Errorf("the error is %v", err)
			}
			if s := c.Stats(); s.FailedAttempts == 0 {
				t.Errorf("nothing was given up: stats are %+v", s)
			}
			said := log.String()
			if strings.Contains(said, "context canceled") || strings.Contains(said, errClosing.Error()) {
				t.Errorf("the log says %s", said)
			}
			if answers && said != "" {
				t.Errorf("the log of a good end says %s", said)
			}
			if !answers && !strings.Contains(said, "level=ERROR") {
				t.Errorf("the log of a bad end says %s", said)
			}
		})
	}
}

func TestTheErrorOfACloseWrapsTheErrorOfItsContextAndTheCause(t *testing.T) {
	c := start(t, Options{URL: "http://127.0.0.1:1"}, quick())
	audit(t, c, 0, 3)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("a second signal")
	cancel(cause)
	err := c.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
		t.Errorf("the error is %v", err)
	}
	if !strings.HasSuffix(err.Error(), "before 3 records were sent: context canceled: a second signal") {
		t.Errorf("the error says %v", err)
	}
}

// stuckLog is a log that does not return until the test is over, from Enabled or from Handle.
type stuckLog struct {
	slog.Handler
	inEnabled bool
	over      chan struct{}
}

func (l stuckLog) Enabled(context.Context, slog.Level) bool {
	if l.inEnabled {
		<-l.over
	}
	return true
}

func (l stuckLog) Handle(context.Context, slog.Record) error { <-l.over; return nil }

func TestALogThatBlocksHoldsUpNeitherTheRecordsNorTheClose(t *testing.T) {
	t.Run("in Handle", func(t *testing.T) { closeBesideStuckLog(t, false) })
	t.Run("in Enabled", func(t *testing.T) { closeBesideStuckLog(t, true) })
}

func closeBesideStuckLog(t *testing.T, inEnabled bool) {
	f := startFake(t)
	log := stuckLog{inEnabled: inEnabled, over: make(chan struct{})}
	defer close(log.over)
	c := start(t, Options{URL: f.URL, Logger: slog.New(log)}, quick())
	f.set(func(w http.ResponseWriter, _ request) bool {
		w.WriteHeader(202)
		_, _ = io.WriteString(w, "what no sidecar says")
		return true
	})
	audit(t, c, 10, 11)
	eventually(t, "a foreign answer, of which there is a note", func() bool { return c.Stats().Unconfirmed == 1 })
	f.set(func(w http.ResponseWriter, _ request) bool { w.WriteHeader(503); return true })
	audit(t, c, 0, 10)
	eventually(t, "a failure, of which there is a note", func() bool { return c.Stats().FailedAttempts > 0 })
	f.set(nil)
	eventually(t, "the records", func() bool { return c.Stats().Stored == 10 })
	began := time.Now()
	// A context without an end.
	if err := c.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > logPatience+2*time.Second {
		t.Errorf("the close took %s", took)
	}
}

func TestALogThatBlocksTakesNoMoreThanSomeNotes(t *testing.T) {
	log := stuckLog{over: make(chan struct{})}
	s := newScribe(log)
	s.note(slog.LevelInfo, "the one that is stuck")
	// From here on none leaves the queue.
	eventually(t, "the log", func() bool { return len(s.notes) == 0 })
	for range 10 * maxNotes {
		s.note(slog.LevelInfo, "a note")
	}
	if len(s.notes) != maxNotes || s.omitted != 9*maxNotes {
		t.Errorf("%d notes wait, and %d are omitted", len(s.notes), s.omitted)
	}
	s.end()
	close(log.over)
	<-s.done
}

func closeInTime(t *testing.T, url string) {
	t.Helper()
	c := start(t, Options{URL: url}, quick())
	audit(t, c, 0, 7)
	time.Sleep(20 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := c.Shutdown(ctx)
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	if err == nil || !strings.Contains(err.Error(), "7 records") {
		t.Errorf("the error is %v", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error does not wrap the context's: %v", err)
	}
	if s := c.Stats(); s.Dropped != 7 || s.Queued != 0 {
		t.Errorf("stats are %+v", s)
	}
	if again := c.Close(); again == nil || again.Error() != err.Error() {
		t.Errorf("a second close says %v", again)
	}
	if err := c.RecordAuditEvent(t.Context(), AuditEvent{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a record after the close says %v", err)
	}
	if s := c.Stats(); s.Dropped != 8 {
		t.Errorf("stats are %+v", s)
	}
}

func TestAClosingClientDoesNotWaitForSlowStorage(t *testing.T) {
	f := startFake(t)
	// Storage never comes; the sidecar answers 202 when the wait is over.
	f.set(func(w http.ResponseWriter, r request) bool {
		var seconds int
		_, _ = fmt.Sscanf(r.prefer, "wait=%d", &seconds)
		time.Sleep(time.Duration(seconds) * time.Second)
		reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
		return true
	})
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 5)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 5, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Unconfirmed != 10 {
		t.Errorf("stats are %+v", s)
	}
}

func TestAClosingClientHasItsRecordsConfirmedByADiskThatHadAMoment(t *testing.T) {
	f := startFake(t)
	var moment sync.Once
	f.set(func(w http.ResponseWriter, r request) bool {
		moment.Do(func() { time.Sleep(1500 * time.Millisecond) })
		if r.prefer != "" {
			return false
		}
		reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
		return true
	})
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 5)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 5, 10)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Stored != 10 || s.Unconfirmed != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestASecondCloseWithANearerDeadlineShortensTheWait(t *testing.T) {
	f := startFake(t)
	over := make(chan struct{})
	// Storage never comes: what does not wait for it is answered.
	f.set(func(w http.ResponseWriter, r request) bool {
		if r.prefer != "" {
			<-over
		}
		reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
		return true
	})
	c := start(t, Options{URL: f.URL}, quick())
	defer close(over)
	audit(t, c, 0, 5)
	first := make(chan error, 1)
	go func() { first <- c.Shutdown(context.Background()) }()
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Unconfirmed != 5 {
		t.Errorf("stats are %+v", s)
	}
}
