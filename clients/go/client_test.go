package storageclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// backend is the Router's storage.Backend.
type backend interface {
	RecordSandboxEvent(ctx context.Context, e SandboxEvent) error
	RecordAuditEvent(ctx context.Context, e AuditEvent) error
	RecordCostSnapshot(ctx context.Context, s CostSnapshot) error
	ListAuditEvents(ctx context.Context, f AuditFilter) ([]AuditEvent, error)
	Close() error
}

var _ backend = (*Client)(nil)

func TestSendsEveryKindAsTheSidecarReadsIt(t *testing.T) {
	f := startFake(t)
	c := start(t, Options{URL: f.URL + "/"}, quick())
	ctx := t.Context()
	when := time.Date(2026, 11, 23, 10, 41, 46, 610_360_000, time.FixedZone("", 3600))
	_ = c.RecordSandboxEvent(ctx, SandboxEvent{when, "sbx-1", "nb", "team-a", "Running", "Restarted", "by \"ana\"\n"})
	_ = c.RecordAuditEvent(ctx, AuditEvent{when, "ana", "create", "sandbox", "sbx-1", "grüße"})
	_ = c.RecordCostSnapshot(ctx, CostSnapshot{when, "sbx-1", "team-a", 0.25, 1e-7, 3})
	closeClean(t, c)

	want := map[string]line{
		"/v1/sandbox-events": {"sandbox_id": "sbx-1", "sandbox_name": "nb", "namespace": "team-a", "phase": "Running", "reason": "Restarted", "message": "by \"ana\"\n"},
		"/v1/audit-events":   {"actor": "ana", "action": "create", "resource": "sandbox", "sandbox_id": "sbx-1", "details": "grüße"},
		"/v1/cost-snapshots": {"sandbox_id": "sbx-1", "namespace": "team-a", "cpu_hours": 0.25, "mem_gb_hours": 1e-7, "estimated_usd": 3.0},
	}
	for path, fields := range want {
		got := f.records(path)
		if len(got) != 1 {
			t.Fatalf("%s has %d records", path, len(got))
		}
		fields["ts"] = "2026-11-23T09:41:46.610360000Z"
		fields["event_id"] = got[0]["event_id"]
		if fmt.Sprint(got[0]) != fmt.Sprint(fields) {
			t.Errorf("%s:\n got %v\nwant %v", path, got[0], fields)
		}
	}
	for _, r := range f.all() {
		if r.prefer != "wait=10" && r.prefer != "wait=1" {
			t.Errorf("Prefer is %q", r.prefer)
		}
	}
	if s := c.Stats(); s.Recorded != 3 || s.Stored != 3 {
		t.Errorf("stats are %+v", s)
	}
}

func TestStampsTheTimeAndAnEventID(t *testing.T) {
	f := startFake(t)
	c := start(t, Options{URL: f.URL}, quick())
	before := time.Now().UTC().Format(timeLayout)
	audit(t, c, 0, 2)
	after := time.Now().UTC().Format(timeLayout)
	closeClean(t, c)
	records := f.records("/v1/audit-events")
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, r := range records {
		if ts := r["ts"].(string); ts < before || ts > after || len(ts) != 30 {
			t.Errorf("ts %s is not between %s and %s", ts, before, after)
		}
		if id := r["event_id"].(string); !uuid.MatchString(id) {
			t.Errorf("event_id is %s", id)
		}
	}
	if records[0]["event_id"] == records[1]["event_id"] {
		t.Error("two records share an event id")
	}
}

func TestLosesNothingOfSixteenGoroutinesAndKeepsTheOrderOfEach(t *testing.T) {
	f := startFake(t)
	c := start(t, Options{URL: f.URL}, quick())
	const workers, each = 16, 2_000
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				e := AuditEvent{Actor: fmt.Sprint(w), Action: "exec", Resource: "sandbox", Details: fmt.Sprint(i)}
				if err := c.RecordAuditEvent(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := c.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	for _, r := range f.records("/v1/audit-events") {
		actor := r["actor"].(string)
		if r["details"] != fmt.Sprint(next[actor]) {
			t.Fatalf("worker %s: details %v come after %d", actor, r["details"], next[actor]-1)
		}
		next[actor]++
	}
	if s := c.Stats(); s.Stored != workers*each {
		t.Errorf("stats are %+v", s)
	}
}

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

func TestAnAnswerOf202IsUnconfirmed(t *testing.T) {
	f := startFake(t)
	f.set(func(w http.ResponseWriter, r request) bool {
		reply(w, 202, map[string]any{"accepted": len(r.lines) - 1, "rejected_count": 1, "rejected": []rejection{{0, "bad"}}})
		return true
	})
	var outcomes []Outcome
	c := start(t, Options{URL: f.URL, Observe: func(o Observation) { outcomes = append(outcomes, o.Outcome) }}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the record", func() bool { return c.Stats().Queued == 0 })
	f.set(func(w http.ResponseWriter, r request) bool {
		reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
		return true
	})
	audit(t, c, 0, 1)
	closeClean(t, c)
	if s := c.Stats(); s.Unconfirmed != 1 || s.Rejected != 1 {
		t.Errorf("stats are %+v", s)
	}
	if want := []Outcome{Queued, Rejected, Queued, Unconfirmed}; fmt.Sprint(outcomes) != fmt.Sprint(want) {
		t.Errorf("observed %v, want %v", outcomes, want)
	}
}

// unstored answers as a sidecar whose storage is down, once a wait is over.
func unstored(w http.ResponseWriter, r request) bool {
	var seconds int
	_, _ = fmt.Sscanf(r.prefer, "wait=%d", &seconds)
	time.Sleep(time.Duration(seconds) * time.Second)
	reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
	return true
}

func prefers(requests []request) string {
	var all []string
	for _, r := range requests {
		all = append(all, r.prefer)
	}
	return strings.Join(all, ",")
}

func TestWhileStorageIsDownACrowdedRingGoesToTheSidecarWithoutWaiting(t *testing.T) {
	f := startFake(t)
	f.set(unstored)
	p := quick()
	p.wait = time.Second
	c := start(t, Options{URL: f.URL, MaxRecords: 1_000}, p)
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 901)
	// 500, and the other 400, which are more than a quarter of the ring.
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	// What is no crowd waits, and learns that storage is back.
	f.set(nil)
	audit(t, c, 901, 902)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	audit(t, c, 902, 1_500)
	closeClean(t, c)
	if got := prefers(f.all()); !strings.HasPrefix(got, "wait=1,,,wait=1,wait=1") {
		t.Errorf("the requests preferred %s", got)
	}
	if s := c.Stats(); s.Unconfirmed != 901 || s.Stored != 599 {
		t.Errorf("stats are %+v", s)
	}
}

func TestACrowdedRingFindsOutThatStorageIsBack(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	var isBack atomic.Bool
	f.set(func(w http.ResponseWriter, r request) bool {
		if isBack.Swap(true) {
			return false
		}
		<-release
		r.prefer = ""
		return unstored(w, r)
	})
	p := quick()
	p.probeEvery = 0
	c := start(t, Options{URL: f.URL, MaxRecords: 1_000}, p)
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 900)
	close(release)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	if got := prefers(f.all()); got != "wait=10,wait=1,wait=10" {
		t.Errorf("the requests preferred %s", got)
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
	for range raiseAfter - 1 {
		p = p.succeed(4_000)
	}
	if p.limit != 500 {
		t.Errorf("the limit is %d before its time", p.limit)
	}
	for range 3 * raiseAfter {
		p = p.succeed(4_000)
	}
	if p.limit != 4_000 {
		t.Errorf("the limit is still %d", p.limit)
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

func TestDropsTheOldestWhenFull(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	f.set(func(http.ResponseWriter, request) bool { <-release; return false })
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, MaxRecords: 10, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 25)
	if s := c.Stats(); s.Queued != 10 || s.Dropped != 15 {
		t.Errorf("stats are %+v", s)
	}
	close(release)
	closeClean(t, c)
	records := f.records("/v1/audit-events")
	if records[0]["details"] != "0" {
		t.Error("the record in flight was dropped")
	}
	wantDetails(t, records[1:], 16, 25)
	if !strings.Contains(log.String(), "dropped records") {
		t.Errorf("the log is:\n%s", log)
	}
}

func TestTheSmallestRingsKeepTheNewestWhileABatchIsInFlight(t *testing.T) {
	big := strings.Repeat("x", 60_000)
	for name, example := range map[string]struct {
		options Options
		text    string
	}{
		"by records":                          {Options{MaxRecords: minRecords}, ""},
		"by bytes":                            {Options{MaxBytes: minBytes}, big},
		"by bytes, with the largest there is": {Options{MaxBytes: minBytes}, strings.Repeat("x", maxText-len("execsandbox"))},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			release := make(chan struct{})
			end := sync.OnceFunc(func() { close(release) })
			defer end()
			f.set(func(http.ResponseWriter, request) bool { <-release; return false })
			example.options.URL = f.URL
			c := start(t, example.options, quick())
			record := func(text string) {
				if err := c.RecordAuditEvent(t.Context(), AuditEvent{Action: "exec", Resource: "sandbox", Details: text}); err != nil {
					t.Fatal(err)
				}
			}
			record("first")
			eventually(t, "the first in flight", func() bool { return len(f.all()) == 1 })
			for range 17 {
				record(example.text)
			}
			release <- struct{}{}
			eventually(t, "as many as may be in flight", func() bool { return len(f.all()) == 2 })
			for range 17 {
				record(example.text)
			}
			newest := "newest" + example.text[min(len("newest"), len(example.text)):]
			record(newest)
			end()
			closeClean(t, c)
			stored := f.records("/v1/audit-events")
			if last := stored[len(stored)-1]["details"]; stored[0]["details"] != "first" || last != newest {
				t.Error("the newest record was dropped")
			}
		})
	}
}

func TestMakesNoMoreRoomThanTheNewRecordNeeds(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	end := sync.OnceFunc(func() { close(release) })
	defer end()
	f.set(func(http.ResponseWriter, request) bool { <-release; return false })
	c := start(t, Options{URL: f.URL, MaxBytes: minBytes}, quick())
	big := AuditEvent{Action: "exec", Resource: "sandbox", Details: strings.Repeat("x", 60_000)}
	_ = c.RecordSandboxEvent(t.Context(), SandboxEvent{SandboxID: "sbx-1", Phase: "Running"})
	eventually(t, "the first in flight", func() bool { return len(f.all()) == 1 })
	for range 17 {
		_ = c.RecordAuditEvent(t.Context(), big)
	}
	release <- struct{}{}
	eventually(t, "as many as may be in flight", func() bool { return len(f.all()) == 2 })
	audit(t, c, 0, 100)
	before := c.Stats().Dropped
	_ = c.RecordAuditEvent(t.Context(), big)
	if n := c.Stats().Dropped - before; n > 1 {
		t.Errorf("%d records made room for one", n)
	}
	end()
	closeClean(t, c)
}

func TestDropsByBytesToo(t *testing.T) {
	c := start(t, Options{URL: "http://127.0.0.1:1", MaxBytes: 1 << 20}, quick())
	text := strings.Repeat("x", 60_000)
	for range 100 {
		_ = c.RecordAuditEvent(t.Context(), AuditEvent{Action: "exec", Resource: "sandbox", Details: text})
		if s := c.Stats(); s.QueuedBytes > 1<<20 {
			t.Fatalf("stats are %+v", s)
		}
	}
	if s := c.Stats(); s.Dropped < 80 || s.Queued < 8 {
		t.Errorf("stats are %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = c.Shutdown(ctx)
}

func TestRefusesWhatCannotBeSent(t *testing.T) {
	f := startFake(t)
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	ctx := t.Context()
	for i, err := range []error{
		c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", CPUHours: math.NaN()}),
		c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", EstimatedUSD: math.Inf(-1)}),
		c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", MemGBHours: math.Inf(1)}),
		c.RecordAuditEvent(ctx, AuditEvent{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		c.RecordAuditEvent(ctx, AuditEvent{Time: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)}),
		c.RecordSandboxEvent(ctx, SandboxEvent{Message: strings.Repeat("x", 600<<10)}),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("case %d: the error is %v", i, err)
		}
	}
	closeClean(t, c)
	if s := c.Stats(); s.Recorded != 6 || s.Rejected != 6 || len(f.all()) != 0 {
		t.Errorf("stats are %+v", s)
	}
	if !strings.Contains(log.String(), "refused records that cannot be sent") {
		t.Errorf("the log is:\n%s", log)
	}
}

func TestTellsWhatWasLostThoughNothingIsSent(t *testing.T) {
	f := startFake(t)
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	// The sender sleeps by now.
	time.Sleep(50 * time.Millisecond)
	refused := CostSnapshot{SandboxID: "a", CPUHours: math.NaN()}
	_ = c.RecordCostSnapshot(t.Context(), refused)
	eventually(t, "a word about it", func() bool { return log.String() != "" })
	for range 1_000 {
		_ = c.RecordCostSnapshot(t.Context(), refused)
	}
	time.Sleep(50 * time.Millisecond)
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "a number is NaN") {
		t.Errorf("the log is:\n%s", text)
	}
	closeClean(t, c)
	if text := log.String(); !strings.Contains(text, "records=1000") {
		t.Errorf("after the close the log is:\n%s", text)
	}
}

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

// stuckLog is a log that does not return until the test is over.
type stuckLog struct {
	slog.Handler
	over chan struct{}
}

func (stuckLog) Enabled(context.Context, slog.Level) bool    { return true }
func (l stuckLog) Handle(context.Context, slog.Record) error { <-l.over; return nil }

func TestALogThatBlocksHoldsUpNeitherTheRecordsNorTheClose(t *testing.T) {
	f := startFake(t)
	log := stuckLog{over: make(chan struct{})}
	defer close(log.over)
	c := start(t, Options{URL: f.URL, Logger: slog.New(log)}, quick())
	// Of each failure and each recovery there is a note.
	for i := range maxNotes {
		f.set(func(w http.ResponseWriter, _ request) bool { w.WriteHeader(503); return true })
		failed := c.Stats().FailedAttempts
		audit(t, c, i, i+1)
		eventually(t, "a failure", func() bool { return c.Stats().FailedAttempts > failed })
		f.set(nil)
		eventually(t, "a recovery", func() bool { return c.Stats().Queued == 0 })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the close took %s", took)
	}
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

func TestTheAccountBalancesAtEveryMoment(t *testing.T) {
	f := startFake(t)
	var turn atomic.Int32
	f.set(func(w http.ResponseWriter, r request) bool {
		switch turn.Add(1) % 7 {
		case 1:
			w.WriteHeader(503)
		case 2:
			reply(w, 413, map[string]any{})
		case 3:
			reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0})
		case 4:
			panic(http.ErrAbortHandler)
		case 5:
			reply(w, 201, map[string]any{"stored": 1 << 60, "duplicates": -5, "rejected_count": 3, "rejected": []rejection{{-1, ""}}})
		default:
			return false
		}
		return true
	})
	c := start(t, Options{URL: f.URL, MaxRecords: 500}, quick())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 5_000 {
				switch i % 4 {
				case 0:
					_ = c.RecordAuditEvent(context.Background(), AuditEvent{Action: "exec", Resource: "sandbox"})
				case 1:
					_ = c.RecordAuditEvent(context.Background(), AuditEvent{Resource: "sandbox"})
				case 2:
					_ = c.RecordSandboxEvent(context.Background(), SandboxEvent{SandboxID: "s", Phase: "Running"})
				default:
					_ = c.RecordCostSnapshot(context.Background(), CostSnapshot{SandboxID: "s", CPUHours: 1 / float64(i%8-3)})
				}
				balance(t, c.Stats())
			}
		})
	}
	group.Wait()
	_ = c.Close()
	if s := c.Stats(); s.Recorded != 20_000 || s.Queued != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestIsANoOpWithoutAURL(t *testing.T) {
	t.Setenv(URLVariable, "")
	c, err := NewFromEnv(Options{URL: "http://ignored"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	events, listErr := c.ListAuditEvents(ctx, AuditFilter{})
	for _, err := range []error{
		c.RecordSandboxEvent(ctx, SandboxEvent{}), c.RecordAuditEvent(ctx, AuditEvent{}),
		c.RecordCostSnapshot(ctx, CostSnapshot{}), listErr, c.Close(), c.Shutdown(ctx),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if c.Enabled() || events != nil || c.Stats() != (Stats{}) {
		t.Error("the no-op keeps something")
	}
	if s := (&Client{}).Stats(); s != (Stats{}) {
		t.Error("the zero client is no no-op")
	}
}

func TestTakesItsURLFromTheEnvironment(t *testing.T) {
	f := startFake(t)
	t.Setenv(URLVariable, f.URL)
	// A proxy of the environment is not for a sidecar.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	c, err := NewFromEnv(Options{Logger: silent()})
	if err != nil || !c.Enabled() {
		t.Fatal(err)
	}
	audit(t, c, 0, 1)
	closeClean(t, c)
	wantDetails(t, f.records("/v1/audit-events"), 0, 1)
}

func TestRefusesBadOptionsWithoutRepeatingThem(t *testing.T) {
	for _, url := range []string{
		"127.0.0.1:8085", "ftp://x", "http://", "http://user:hunter2@x", "http://x?hunter2", "http://x/#hunter2", "unix:hunter2", "unix://hunter2/x", "http://[hunter2", "\x00",
	} {
		_, err := New(Options{URL: url})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error is %v", url, err)
		}
	}
	for _, options := range []Options{{MaxRecords: -1}, {MaxRecords: 1}, {MaxBytes: minBytes - 1}, {MaxBytes: -1}} {
		options.URL = "http://127.0.0.1:1"
		if _, err := New(options); err == nil {
			t.Errorf("%+v is accepted", options)
		}
	}
}

func TestSpeaksOverAUnixSocket(t *testing.T) {
	f := startFake(t)
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go server.Serve(listener)
	defer server.Close()
	c := start(t, Options{URL: "unix:" + path}, quick())
	audit(t, c, 0, 3)
	closeClean(t, c)
	wantDetails(t, f.records("/v1/audit-events"), 0, 3)
}

func TestUsesOneConnection(t *testing.T) {
	f := startFake(t)
	c := start(t, Options{URL: f.URL}, quick())
	for i := range 20 {
		audit(t, c, i, i+1)
		eventually(t, "the record", func() bool { return c.Stats().Queued == 0 })
	}
	if n := f.connections.Load(); n > 2 {
		t.Errorf("%d connections for 20 requests", n)
	}
}
