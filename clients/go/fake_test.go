package storageclient

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
)

// line is a record as it came over the wire.
type line map[string]any

// request is one POST.
type request struct {
	path   string
	prefer string
	lines  []string
}

// fakeSidecar stores records as the sidecar does: by event id, refusing what has no action or phase.
type fakeSidecar struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	stored   map[string][]line
	seen     map[string]bool
	// answer, when set, answers in place of the sidecar unless it returns false.
	answer func(w http.ResponseWriter, r request) bool
	// lose, when set, breaks the connection off instead of answering, after the records are stored.
	lose        func(r request) bool
	connections atomic.Int32
}

func startFake(t *testing.T) *fakeSidecar {
	t.Helper()
	f := &fakeSidecar{stored: map[string][]line{}, seen: map[string]bool{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			f.connections.Add(1)
		}
	}
	f.Start()
	t.Cleanup(f.Server.Close)
	return f
}

func (f *fakeSidecar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req := request{path: r.URL.Path, prefer: r.Header.Get("Prefer")}
	scanner := bufio.NewScanner(strings.NewReader(string(body)))
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		req.lines = append(req.lines, scanner.Text())
	}
	f.mu.Lock()
	f.requests = append(f.requests, req)
	answer, lose := f.answer, f.lose
	f.mu.Unlock()
	if answer != nil && answer(w, req) {
		return
	}
	said := f.store(req)
	if lose != nil && lose(req) {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusCreated
	if said["accepted"] == 0 {
		status = http.StatusBadRequest
	}
	reply(w, status, said)
}

func (f *fakeSidecar) store(req request) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	stored, duplicates := 0, 0
	rejected := []rejection{}
	for i, text := range req.lines {
		var record line
		if err := json.Unmarshal([]byte(text), &record); err != nil || !utf8.ValidString(text) {
			rejected = append(rejected, rejection{i, "is not well-formed UTF-8"})
			continue
		}
		if strings.HasPrefix(req.path, "/v1/audit") && record["action"] == nil {
			rejected = append(rejected, rejection{i, "action: is required"})
			continue
		}
		id := record["event_id"].(string)
		if f.seen[id] {
			duplicates++
			continue
		}
		f.seen[id] = true
		f.stored[req.path] = append(f.stored[req.path], record)
		stored++
	}
	return map[string]any{
		"accepted": stored + duplicates, "stored": stored, "duplicates": duplicates,
		"rejected_count": len(rejected), "rejected": rejected[:min(len(rejected), 100)],
	}
}

func reply(w http.ResponseWriter, status int, document any) {
	mediaType := "application/json"
	if status >= 400 {
		mediaType = problemType
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

func (f *fakeSidecar) records(path string) []line {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]line(nil), f.stored[path]...)
}

func (f *fakeSidecar) all() []request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]request(nil), f.requests...)
}

func (f *fakeSidecar) set(answer func(w http.ResponseWriter, r request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// quick is the default pacing for tests: the same, with shorter pauses.
func quick() pacing {
	p := defaultPacing
	p.firstPause, p.maxPause, p.closingPause = 2*time.Millisecond, 20*time.Millisecond, 10*time.Millisecond
	return p
}

// logBuffer keeps a log for tests to read.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start makes a client that the test closes at its end, and whose account must then balance.
func start(t *testing.T, options Options, p pacing) *Client {
	t.Helper()
	if options.Logger == nil {
		options.Logger = silent()
	}
	c, err := newClient(options, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		balance(t, c.Stats())
	})
	return c
}

func balance(t *testing.T, s Stats) {
	t.Helper()
	if sum := s.Stored + s.Duplicate + s.Unconfirmed + s.Rejected + s.Dropped + s.Queued; sum != s.Recorded {
		t.Errorf("the account does not balance: recorded %d, the others add up to %d: %+v", s.Recorded, sum, s)
	}
}

func audit(t *testing.T, c *Client, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		e := AuditEvent{Actor: "ana", Action: "exec", Resource: "sandbox", SandboxID: "sbx-1", Details: fmt.Sprint(i)}
		if err := c.RecordAuditEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func closeClean(t *testing.T, c *Client) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not come in time: %s", what)
		}
	}
}

// wantDetails checks that audit events with the details from, from+1 ... to-1 are stored in order.
func wantDetails(t *testing.T, records []line, from, to int) {
	t.Helper()
	if len(records) != to-from {
		t.Fatalf("%d records are stored, want %d", len(records), to-from)
	}
	for i, r := range records {
		if r["details"] != fmt.Sprint(from+i) {
			t.Fatalf("record %d has details %v, want %d", i, r["details"], from+i)
		}
	}
}
