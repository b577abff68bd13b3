package storageclient

// How batches are sent, repeated, halved and paced.

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSendsInLargeBatchesOfOneKindWhatGathered(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	f.set(func(http.ResponseWriter, request) bool { <-release; return false })
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 9_000)
	close(release)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	closeClean(t, c)
	wantDetails(t, f.records("/v1/audit-events"), 0, 9_000)
	requests := f.all()
	if len(requests) > 6 {
		t.Errorf("9,000 records took %d requests", len(requests))
	}
	for _, r := range requests {
		if len(r.lines) > 4_000 || len(strings.Join(r.lines, "\n")) > 3<<20 {
			t.Errorf("a batch has %d records", len(r.lines))
		}
	}
}

func TestWaitsForASidecarThatIsNotThereYet(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	log := &logBuffer{}
	c := start(t, Options{URL: "http://" + address, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	audit(t, c, 0, 100)
	eventually(t, "three failures", func() bool { return c.Stats().FailedAttempts >= 3 })
	if s := c.Stats(); s.Queued != 100 {
		t.Errorf("stats are %+v", s)
	}
	f := startFake(t)
	late, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go server.Serve(late)
	defer server.Close()
	eventually(t, "the records", func() bool { return c.Stats().Stored == 100 })
	wantDetails(t, f.records("/v1/audit-events"), 0, 100)
	closeClean(t, c)
	for _, want := range []string{"did not take records", "takes records again"} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log should say %q once:\n%s", want, log)
		}
	}
}

func TestRepeatsABatchWhoseAnswerWasLostAndStoresNothingTwice(t *testing.T) {
	f := startFake(t)
	var lost atomic.Int32
	f.lose = func(request) bool { return lost.Add(1) <= 3 }
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 500)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	closeClean(t, c)
	wantDetails(t, f.records("/v1/audit-events"), 0, 500)
	if s := c.Stats(); s.Stored+s.Duplicate != 500 || s.Duplicate == 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestHonoursRetryAfter(t *testing.T) {
	f := startFake(t)
	var first atomic.Int64
	f.set(func(w http.ResponseWriter, _ request) bool {
		if !first.CompareAndSwap(0, time.Now().UnixNano()) {
			return false
		}
		w.Header().Set("Retry-After", "1")
		reply(w, 503, map[string]any{"detail": "the queue has no room for these records"})
		return true
	})
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 10)
	eventually(t, "the records", func() bool { return c.Stats().Stored == 10 })
	if passed := time.Since(time.Unix(0, first.Load())); passed < time.Second {
		t.Errorf("tried again after %s", passed)
	}
}

func TestCountsAndLogsWhatTheSidecarRejectsWithoutItsContent(t *testing.T) {
	f := startFake(t)
	log := &logBuffer{}
	release := make(chan struct{})
	f.set(func(http.ResponseWriter, request) bool { <-release; return false })
	outcomes := map[Outcome]int{}
	c := start(t, Options{
		URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil)),
		Observe: func(o Observation) { outcomes[o.Outcome]++ },
	}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	ctx := t.Context()
	_ = c.RecordAuditEvent(ctx, AuditEvent{Actor: "secret-actor", Resource: "sandbox"})
	_ = c.RecordAuditEvent(ctx, AuditEvent{Action: "exec", Resource: "sandbox", Details: "secret \xff\xfe"})
	audit(t, c, 1, 3)
	close(release)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	// All of the next are bad: 400.
	_ = c.RecordAuditEvent(ctx, AuditEvent{Actor: "secret-actor", Resource: "sandbox"})
	closeClean(t, c)
	if s := c.Stats(); s.Stored != 3 || s.Rejected != 3 || s.FailedAttempts != 0 {
		t.Errorf("stats are %+v", s)
	}
	wantDetails(t, f.records("/v1/audit-events"), 0, 3)
	if outcomes[Durable] != 3 || outcomes[Rejected] != 3 {
		t.Errorf("observed %v", outcomes)
	}
	if text := log.String(); !strings.Contains(text, "action: is required") || strings.Contains(text, "secret") {
		t.Errorf("the log is:\n%s", text)
	}
}

func TestHalvesWhatIsTooLargeAndRejectsWhatIsTooLargeAlone(t *testing.T) {
	f := startFake(t)
	f.set(func(w http.ResponseWriter, r request) bool {
		isTooLarge := len(r.lines) > 3 || strings.Contains(strings.Join(r.lines, ""), "poison")
		if isTooLarge {
			reply(w, 413, map[string]any{"detail": "too large"})
		}
		return isTooLarge
	})
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 50)
	_ = c.RecordAuditEvent(t.Context(), AuditEvent{Action: "exec", Resource: "sandbox", Details: "poison"})
	audit(t, c, 50, 60)
	closeClean(t, c)
	wantDetails(t, f.records("/v1/audit-events"), 0, 60)
	if s := c.Stats(); s.Stored != 60 || s.Rejected != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestASmallQueueIsNotAskedForTooMuchAgainAndAgain(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	const room = 250
	f.set(func(w http.ResponseWriter, r request) bool {
		<-release
		isTooLarge := len(r.lines) > room
		if isTooLarge {
			reply(w, 413, map[string]any{"detail": "these records exceed the whole queue"})
		}
		return isTooLarge
	})
	c := start(t, Options{URL: f.URL}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 9_001)
	close(release)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	// 4,000, 2,000, 1,000 and 500.
	if s := c.Stats(); s.Stored != 9_001 || s.FailedAttempts != 4 {
		t.Errorf("stats are %+v", s)
	}
	wantDetails(t, f.records("/v1/audit-events"), 0, 9_001)
}

func TestTriesLargerBatchesAgainAfterManySuccesses(t *testing.T) {
	p := pace{limit: 500, ceiling: 500}
	for range raiseAfter(500) - 1 {
		p = p.succeed(4_000)
	}
	if p.limit != 500 {
		t.Errorf("the limit is %d before its time", p.limit)
	}
	for range 3 * raiseAfter(4_000) {
		p = p.succeed(4_000)
	}
	if p.limit != 4_000 {
		t.Errorf("the limit is still %d", p.limit)
	}
}

func TestTriesLargerBatchesSoonAfterSomeLargeRecords(t *testing.T) {
	p := pace{limit: 1, ceiling: 1}
	sent := 0
	for range 100 {
		sent += p.limit
		p = p.succeed(4_000)
	}
	if sent < 400 {
		t.Errorf("a hundred batches took %d records", sent)
	}
}

func TestALogIsNotFilledByAFailureThatComesAndGoes(t *testing.T) {
	f := startFake(t)
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	for i := range 10 {
		f.set(func(w http.ResponseWriter, _ request) bool { w.WriteHeader(503); return true })
		failed := c.Stats().FailedAttempts
		audit(t, c, i, i+1)
		eventually(t, "a failure", func() bool { return c.Stats().FailedAttempts > failed })
		f.set(nil)
		eventually(t, "a recovery", func() bool { return c.Stats().Queued == 0 })
	}
	closeClean(t, c)
	for _, want := range []string{"did not take records", "takes records again"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("the log says %q %d times", want, n)
		}
	}
}

func TestTellsThatWhatTookTheRecordsIsNoSidecar(t *testing.T) {
	for _, answer := range []struct {
		status int
		body   string
	}{
		{201, `{"id":1}`},
		{202, "thanks"},
		// More than there were.
		{201, `{"rejected_count":0,"stored":1000,"rejected":[]}`},
	} {
		f := startFake(t)
		f.set(func(w http.ResponseWriter, _ request) bool {
			w.WriteHeader(answer.status)
			_, _ = w.Write([]byte(answer.body))
			return true
		})
		log := &logBuffer{}
		c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
		for i := range 3 {
			audit(t, c, i, i+1)
			eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
		}
		closeClean(t, c)
		if s := c.Stats(); s.Unconfirmed != 3 {
			t.Errorf("stats are %+v", s)
		}
		if n := strings.Count(log.String(), "does not answer as a storage sidecar does"); n != 1 {
			t.Errorf("told %d times:\n%s", n, log)
		}
	}
}

func TestKeepsRecordsWhileTheAddressIsNotASidecars(t *testing.T) {
	for _, status := range []int{200, 302, 400, 401, 404, 413, 421, 422, 429} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			f := startFake(t)
			f.set(func(w http.ResponseWriter, r request) bool {
				w.Header().Set("Location", "/elsewhere")
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, `{"detail":%q,"rejected_count":%d}`, r.lines, len(r.lines))
				return true
			})
			log := &logBuffer{}
			c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
			audit(t, c, 0, 3)
			// Often enough to be alone in the end.
			eventually(t, "failures", func() bool { return c.Stats().FailedAttempts > 5 })
			f.set(nil)
			closeClean(t, c)
			wantDetails(t, f.records("/v1/audit-events"), 0, 3)
			if text := log.String(); !strings.Contains(text, fmt.Sprint(status)) || strings.Contains(text, "sbx-1") {
				t.Errorf("the log is:\n%s", text)
			}
		})
	}
}

func TestAKindThatFailsDoesNotHoldUpTheOthers(t *testing.T) {
	f := startFake(t)
	f.set(func(w http.ResponseWriter, r request) bool {
		isCost := r.path == "/v1/cost-snapshots"
		if isCost {
			w.WriteHeader(500)
		}
		return isCost
	})
	c := start(t, Options{URL: f.URL}, quick())
	_ = c.RecordCostSnapshot(t.Context(), CostSnapshot{SandboxID: "sbx-1"})
	eventually(t, "a failure", func() bool { return c.Stats().FailedAttempts > 0 })
	audit(t, c, 0, 10)
	eventually(t, "the others", func() bool { return c.Stats().Stored == 10 })
	f.set(nil)
	closeClean(t, c)
}

func TestALaneThatPausesAndWasEmptiedByDropsIsSentWhenItsPauseEnds(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	f.set(func(w http.ResponseWriter, r request) bool {
		if r.path == "/v1/cost-snapshots" {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
			return true
		}
		<-release
		return false
	})
	c := start(t, Options{URL: f.URL, MaxRecords: 10}, quick())
	ctx := t.Context()
	_ = c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "made room"})
	eventually(t, "a pause", func() bool { return c.Stats().FailedAttempts == 1 })
	audit(t, c, 0, 1)
	eventually(t, "a request in flight", func() bool { return len(f.all()) == 2 })
	audit(t, c, 1, 20)
	f.set(nil)
	close(release)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	// The sender sleeps by now, and no lane has anything for it.
	time.Sleep(50 * time.Millisecond)
	_ = c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "came during the pause"})
	eventually(t, "the record that came during the pause", func() bool { return len(f.records("/v1/cost-snapshots")) == 1 })
	closeClean(t, c)
}

func TestGivesUpOnARequestThatHangs(t *testing.T) {
	f := startFake(t)
	var hung atomic.Bool
	over := make(chan struct{})
	defer close(over)
	f.set(func(http.ResponseWriter, request) bool {
		if hung.CompareAndSwap(false, true) {
			<-over
		}
		return false
	})
	p := quick()
	p.timeout = 100 * time.Millisecond
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, p)
	audit(t, c, 0, 5)
	eventually(t, "the records", func() bool { return c.Stats().Stored == 5 })
	closeClean(t, c)
	if !strings.Contains(log.String(), "no answer within 100ms") {
		t.Errorf("the log is:\n%s", log)
	}
}
