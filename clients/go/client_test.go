package storageclient

import (
	"context"
	"fmt"
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
		"127.0.0.1:8085", "ftp://x", "http://", "http://user:hunter2@x", "http://x?hunter2", "http://x/#hunter2", "http://x:8085/?",
		"http://hunter2:65536", "http://hunter2:0", "http://hunter2:99999999999999999999", "unix:hunter2", "unix://hunter2/x", "http://[hunter2", "\x00",
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
