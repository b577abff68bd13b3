package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	storageclient "github.com/agenttier/storage/clients/go"
)

// sink is a sidecar that stores all it is sent, by event id.
type sink struct {
	mu   sync.Mutex
	seen map[string]map[string]any
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, duplicates := 0, 0
	for text := range strings.Lines(string(body)) {
		var record map[string]any
		if err := json.Unmarshal([]byte(text), &record); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id := record["event_id"].(string)
		if s.seen[id] != nil {
			duplicates++
			continue
		}
		s.seen[id] = record
		stored++
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"stored": stored, "duplicates": duplicates, "rejected_count": 0})
}

// words counts the values of fields over all records.
func (s *sink) words(fields ...string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[string]int{}
	for _, record := range s.seen {
		for _, name := range fields {
			if word, ok := record[name].(string); ok {
				counts[word]++
			}
		}
	}
	return counts
}

// running is a stand-in within this process.
type running struct {
	base string
	stop func() error
}

func startRouter(t *testing.T, sidecar string, env map[string]string) *running {
	t.Helper()
	getenv := func(name string) string {
		if name == storageclient.URLVariable {
			return sidecar
		}
		return env[name]
	}
	config, err := readConfig([]string{"--oidc-issuer=", "--dev-auth", "--listen-addr=127.0.0.1:0", "--admin-group", "x"}, getenv)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	address := make(chan net.Addr, 1)
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, config, slog.New(slog.DiscardHandler), func(a net.Addr) { address <- a })
	}()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	select {
	case a := <-address:
		return &running{"http://" + a.String(), stop}
	case err := <-done:
		t.Fatalf("the router did not start: %v", err)
		return nil
	}
}

func startSink(t *testing.T) (*sink, string) {
	t.Helper()
	s := &sink{seen: map[string]map[string]any{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

func (r *running) call(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

type stats struct {
	Client  storageclient.Stats
	Latency quantiles
	Load    map[string]uint64
}

func (r *running) statsUntil(t *testing.T, isEnough func(stats) bool) stats {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var s stats
		_, body := r.call(t, "GET", "/stats", "")
		if err := json.Unmarshal([]byte(body), &s); err != nil {
			t.Fatal(err)
		}
		if isEnough(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("it came to no more than %+v", s)
		}
	}
}

func TestServesTheRoutersRoutesAndRecordsThem(t *testing.T) {
	sink, url := startSink(t)
	r := startRouter(t, url, nil)
	for _, example := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/healthz", "", 200},
		{"GET", "/readyz", "", 200},
		{"POST", "/api/v1/sandboxes", `{"name":"sbx-1","templateRef":{"name":"python"}}`, 201},
		{"POST", "/api/v1/sandboxes", `{"name":"sbx-1","templateRef":{"name":"python"}}`, 409},
		{"POST", "/api/v1/sandboxes", `{"name":"sbx-2"}`, 400},
		{"POST", "/api/v1/sandboxes", `{`, 400},
		{"GET", "/api/v1/sandboxes", "", 200},
		{"GET", "/api/v1/sandboxes/sbx-1", "", 200},
		{"POST", "/api/v1/sandboxes/sbx-1/exec", `{"command":"ls"}`, 200},
		{"POST", "/api/v1/sandboxes/sbx-1/share", `{"user":"bo"}`, 200},
		{"POST", "/api/v1/sandboxes/sbx-1/clone", `{"name":"c"}`, 202},
		{"PATCH", "/api/v1/sandboxes/sbx-1", `{}`, 200},
		{"POST", "/api/v1/sandboxes/sbx-1/backups", ``, 201},
		{"POST", "/api/v1/sandboxes/sbx-1/backups/b/restore", ``, 202},
		{"DELETE", "/api/v1/sandboxes/sbx-1/backups/b", ``, 204},
		{"POST", "/api/v1/sandboxes/sbx-1/stop", ``, 200},
		{"POST", "/api/v1/sandboxes/sbx-1/resume", ``, 200},
		{"POST", "/api/v1/sandboxes/bulk", `{"items":[{"name":"sbx-3","templateRef":{"name":"a"}},{"name":"sbx-4","templateRef":{"name":"a"}},{}]}`, 200},
		{"POST", "/api/v1/sandboxes/bulk", `{}`, 400},
		{"POST", "/api/v1/sandboxes/bulk-action", `{"action":"stop","ids":["sbx-3","sbx-4","sbx-5"]}`, 200},
		{"POST", "/api/v1/sandboxes/bulk-action", `{"action":"burn"}`, 400},
		{"POST", "/api/v1/templates", `{"name":"a"}`, 201},
		{"PUT", "/api/v1/templates/a", `{}`, 200},
		{"DELETE", "/api/v1/templates/a", ``, 204},
		{"POST", "/api/v1/webhooks", `{"name":"b"}`, 201},
		{"DELETE", "/api/v1/webhooks/b", ``, 204},
		{"DELETE", "/api/v1/sandboxes/sbx-1", ``, 204},
		{"POST", "/api/v1/sandboxes/sbx-1/stop", ``, 404},
	} {
		if status, body := r.call(t, example.method, example.path, example.body); status != example.status {
			t.Errorf("%s %s: %d %s", example.method, example.path, status, body)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"create": 2, "exec": 1, "share": 1, "clone": 1, "patch": 2, "backup.create": 1, "backup.restore": 1,
		"backup.delete": 1, "stop": 1, "resume": 1, "delete": 2, "bulk.create": 1, "bulk.stop": 1,
		"webhook.create": 1, "webhook.delete": 1, "Creating": 3, "Running": 5, "Stopped": 3, "Deleting": 1,
	}
	if got := sink.words("action", "phase"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("recorded %v, want %v", got, want)
	}
}

func TestTheJournalAndTheSidecarAgreeAfterAStopUnderLoad(t *testing.T) {
	sink, url := startSink(t)
	file := filepath.Join(t.TempDir(), "journal")
	r := startRouter(t, url, map[string]string{
		"ROUTER_LOAD_RATE": "400", "ROUTER_SANDBOXES": "8", "ROUTER_COST_INTERVAL": "50ms", "ROUTER_JOURNAL": file,
	})
	s := r.statsUntil(t, func(s stats) bool { return s.Client.Recorded >= 500 })
	if s.Load["failed"] != 0 || s.Latency.Count == 0 || s.Latency.P50 > s.Latency.P99 || s.Latency.P99 > s.Latency.Max {
		t.Errorf("the stats are %+v", s)
	}
	if _, body := r.call(t, "GET", "/journal", ""); strings.Count(body, "\n") < 500 {
		t.Errorf("/journal has %d lines", strings.Count(body, "\n"))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]storageclient.Outcome{}
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	for lines := bufio.NewScanner(text); lines.Scan(); {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		outcomes[e.EventID] = e.Outcome
	}
	if len(outcomes) != len(sink.seen) || len(outcomes) < 500 {
		t.Errorf("%d records are in the journal, %d in the sidecar", len(outcomes), len(sink.seen))
	}
	for id, outcome := range outcomes {
		if outcome != storageclient.Durable || sink.seen[id] == nil {
			t.Fatalf("%s is %s", id, outcome)
		}
	}
}

func TestTheLoadSaysEveryWordOfTheVocabulary(t *testing.T) {
	vocabulary := map[string][]string{
		"action": {
			"create", "stop", "resume", "delete", "patch", "share", "exec", "clone", "bulk.create", "bulk.stop",
			"backup.create", "backup.delete", "backup.restore", "webhook.create", "webhook.delete",
		},
		"resource": {"sandbox", "template", "webhook"},
		"phase":    {"Creating", "Running", "Stopped", "Error", "Deleting"},
		"reason": {
			"Running", "Stopped", "Restarting", "AutoRestarted", "Snapshotted", "SnapshotFailed", "ApplicationError", "BackupCreated",
		},
		"message": failures,
	}
	sink, url := startSink(t)
	r := startRouter(t, url, map[string]string{"ROUTER_LOAD_RATE": "3000", "ROUTER_SANDBOXES": "40"})
	for field, words := range vocabulary {
		for _, word := range words {
			for deadline := time.Now().Add(60 * time.Second); sink.words(field)[word] == 0; time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%s is never %s", field, word)
				}
			}
		}
	}
	if _, body := r.call(t, "GET", "/stats", ""); !strings.Contains(body, `"failed":0`) {
		t.Errorf("the stats are %s", body)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	delete(vocabulary, "message")
	for field, words := range vocabulary {
		for word := range sink.words(field) {
			if !slices.Contains(words, word) {
				t.Errorf("%s %s is not in the vocabulary", field, word)
			}
		}
	}
}

func TestEndsWhenItCannotServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	config, err := readConfig(nil, func(name string) string { return map[string]string{"ROUTER_LOAD_RATE": "100"}[name] })
	if err != nil {
		t.Fatal(err)
	}
	journal, err := newJournal("")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- serve(t.Context(), config, slog.New(slog.DiscardHandler), &storageclient.Client{}, journal, listener)
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ends without an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("it serves nothing and does not end")
	}
}

func TestRecordsNothingOfItsOwnWhileItIsQuiet(t *testing.T) {
	_, url := startSink(t)
	r := startRouter(t, url, map[string]string{"ROUTER_LOAD_RATE": "400", "ROUTER_COST_INTERVAL": "5ms"})
	r.statsUntil(t, func(s stats) bool { return s.Client.Recorded > 100 })
	r.call(t, "PUT", "/quiet", "")
	// What was under way comes to its end.
	var before stats
	rest := r.statsUntil(t, func(s stats) bool {
		isAtRest := s.Client.Queued == 0 && s.Client.Recorded == before.Client.Recorded
		before = s
		return isAtRest
	})
	time.Sleep(300 * time.Millisecond)
	if s := r.statsUntil(t, func(stats) bool { return true }); s.Client != rest.Client {
		t.Errorf("%+v became %+v", rest.Client, s.Client)
	}
	r.call(t, "DELETE", "/quiet", "")
	r.statsUntil(t, func(s stats) bool { return s.Client.Recorded > rest.Client.Recorded+100 })
}

func TestServesWithoutASidecarAndTellsWhatItLeft(t *testing.T) {
	t.Run("no URL", func(t *testing.T) {
		r := startRouter(t, "", nil)
		if status, _ := r.call(t, "POST", "/api/v1/sandboxes", `{"name":"a","templateRef":{"name":"b"}}`); status != 201 {
			t.Errorf("status %d", status)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a bad URL", func(t *testing.T) {
		config, err := readConfig(nil, func(string) string { return "nonsense" })
		if err == nil {
			config.journal = ""
			config.listenAddr = "127.0.0.1:0"
			err = run(t.Context(), config, slog.New(slog.DiscardHandler), nil)
		}
		if err == nil {
			t.Error("it starts")
		}
	})
}

func TestReadsItsConfiguration(t *testing.T) {
	c, err := readConfig([]string{"--listen-addr", ":9", "--preview-domain="}, func(name string) string {
		return map[string]string{"ROUTER_LOAD_RATE": "2.5", "ROUTER_COST_INTERVAL": "1s"}[name]
	})
	if err != nil || c.listenAddr != ":9" || c.loadRate != 2.5 || c.costInterval != time.Second || len(c.ignored) != 1 {
		t.Errorf("%+v %v", c, err)
	}
	for _, name := range []string{"ROUTER_LOAD_RATE", "ROUTER_LOAD_SEED", "ROUTER_SANDBOXES", "ROUTER_COST_INTERVAL"} {
		for _, value := range []string{"x", "-1", "NaN"} {
			_, err := readConfig(nil, func(n string) string {
				if n == name {
					return value
				}
				return ""
			})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	}
}

func TestHistogramIsCloseFromNanosecondsToHours(t *testing.T) {
	for d := time.Duration(1); d < 100*time.Hour; d = d*3/2 + 1 {
		top := ceiling(bucketOf(uint64(d)))
		if top < uint64(d) || float64(top) > float64(d)*(1+1.0/subBuckets) {
			t.Errorf("%d is counted as %d", d, top)
		}
	}
	h := &histogram{}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Millisecond)
	}
	q := h.read()
	if q.Count != 1000 || q.P50 < 500 || q.P50 > 520 || q.P99 < 990 || q.Max != 1000 {
		t.Errorf("the quantiles are %+v", q)
	}
	h.reset()
	if h.read() != (quantiles{}) {
		t.Error("something is left after a reset")
	}
}
