package storageclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startList serves that many events in pages, every other of them empty, as the sidecar may.
func startList(t *testing.T, total int) (string, *[]url.Values) {
	t.Helper()
	var queries []url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		queries = append(queries, q)
		limit, _ := strconv.Atoi(q.Get("limit"))
		var at int
		var isFull bool
		_, _ = fmt.Sscanf(q.Get("cursor"), "%d-%t", &at, &isFull)
		items := []map[string]string{}
		for ; isFull && len(items) < limit && at < total; at++ {
			items = append(items, map[string]string{
				"ts": "2026-11-23T19:37:21.751000000Z", "actor": "ana", "action": "create",
				"resource": "sandbox", "sandbox_id": "sbx-1", "details": strconv.Itoa(at),
			})
		}
		var next any
		if at < total {
			next = fmt.Sprintf("%d-%t", at, !isFull)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items, "next_cursor": next})
	}))
	t.Cleanup(server.Close)
	return server.URL, &queries
}

func TestListsPageByPageUpToTheLimit(t *testing.T) {
	for _, example := range []struct{ total, limit, want int }{
		{0, 0, 0}, {5, 0, 5}, {5, 3, 3}, {2_500, 0, 2_500}, {2_500, 1_700, 1_700}, {2_500, 9_999, 2_500}, {1_000, 1_000, 1_000},
	} {
		t.Run(fmt.Sprintf("%d of %d", example.limit, example.total), func(t *testing.T) {
			address, _ := startList(t, example.total)
			c := start(t, Options{URL: address}, quick())
			events, err := c.ListAuditEvents(t.Context(), AuditFilter{Limit: example.limit})
			if err != nil || len(events) != example.want {
				t.Fatalf("%d events, %v", len(events), err)
			}
			for i, e := range events {
				want := AuditEvent{time.Date(2026, 11, 23, 19, 37, 21, 751_000_000, time.UTC), "ana", "create", "sandbox", "sbx-1", strconv.Itoa(i)}
				if e != want {
					t.Fatalf("event %d is %+v", i, e)
				}
			}
		})
	}
}

func TestListsWithTheFilter(t *testing.T) {
	address, queries := startList(t, 1)
	c := start(t, Options{URL: address}, quick())
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", -3600))
	if _, err := c.ListAuditEvents(t.Context(), AuditFilter{"a&b c@example.com", "sbx-1", since, 7}); err != nil {
		t.Fatal(err)
	}
	want := "actor=a%26b+c%40example.com&limit=7&sandbox_id=sbx-1&since=2026-01-02T04%3A04%3A05.000000006Z"
	if got := (*queries)[0].Encode(); got != want {
		t.Errorf("the query is %s", got)
	}
	if _, err := c.ListAuditEvents(t.Context(), AuditFilter{Since: time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Error("a Since that cannot be told is accepted")
	}
}

func TestAListTellsWhyThereIsNone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 503, map[string]any{"detail": "storage is down"})
	}))
	defer server.Close()
	c := start(t, Options{URL: server.URL}, quick())
	_, err := c.ListAuditEvents(t.Context(), AuditFilter{})
	var status *StatusError
	if !errors.As(err, &status) || status.Status != 503 || status.Detail != "storage is down" {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.ListAuditEvents(ctx, AuditFilter{Actor: "ana"}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

func TestAListOfWhatIsNoSidecarIsAnError(t *testing.T) {
	for _, body := range []string{`{}`, `{"items":null}`, `[]`, `hello`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(body))
		}))
		c := start(t, Options{URL: server.URL}, quick())
		if events, err := c.ListAuditEvents(t.Context(), AuditFilter{}); err == nil || !strings.Contains(err.Error(), "list") {
			t.Errorf("the events of %s are %v, the error %v", body, events, err)
		}
		server.Close()
	}
}

func TestAListGivesUpOnASidecarThatHangs(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"before its answer": func(http.ResponseWriter) {},
		"in its answer":     func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				answer(w)
				<-over
			}))
			defer server.Close()
			defer close(over)
			p := quick()
			p.listTimeout = 50 * time.Millisecond
			c := start(t, Options{URL: server.URL}, p)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := c.ListAuditEvents(ctx, AuditFilter{})
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 50ms") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
