package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	storageclient "github.com/agenttier/storage/clients/go"
)

const (
	maxBodyBytes     = 1 << 20
	defaultNamespace = "default"
)

// verb is an operation on one sandbox: how it is recorded, and what it does to the sandbox.
type verb struct {
	route  string
	action string
	status int
	answer any
	// phase is entered, where it is not empty.
	phase, reason string
}

var verbs = []verb{
	{"DELETE /api/v1/sandboxes/{id}", "delete", http.StatusNoContent, nil, "Deleting", ""},
	{"PATCH /api/v1/sandboxes/{id}", "patch", http.StatusOK, status("patched"), "", ""},
	{"POST /api/v1/sandboxes/{id}/stop", "stop", http.StatusOK, status("stopping"), "Stopped", "Stopped"},
	{"POST /api/v1/sandboxes/{id}/resume", "resume", http.StatusOK, status("resuming"), "Running", "Running"},
	{"POST /api/v1/sandboxes/{id}/clone", "clone", http.StatusAccepted, status("Pending"), "", ""},
	{"POST /api/v1/sandboxes/{id}/exec", "exec", http.StatusOK, map[string]any{"exitCode": 0, "stdout": "", "stderr": ""}, "", ""},
	{"POST /api/v1/sandboxes/{id}/share", "share", http.StatusOK, map[string]any{"users": []string{}}, "", ""},
	{"POST /api/v1/sandboxes/{id}/backups", "backup.create", http.StatusCreated, status("created"), "Running", "BackupCreated"},
	{"POST /api/v1/sandboxes/{id}/backups/{backup}/restore", "backup.restore", http.StatusAccepted, status("restoring"), "", ""},
	{"DELETE /api/v1/sandboxes/{id}/backups/{backup}", "backup.delete", http.StatusNoContent, nil, "", ""},
}

func status(word string) any { return map[string]string{"status": word} }

// routes is the whole HTTP surface.
func routes(f *fleet, client *storageclient.Client, j *journal, latency *histogram, l *load) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	mux.HandleFunc("GET /journal", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		_ = j.render(w)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]any{"client": client.Stats(), "latency": latency.read(), "load": l.counts()})
	})
	mux.HandleFunc("DELETE /stats", func(w http.ResponseWriter, _ *http.Request) {
		latency.reset()
		l.reset()
		w.WriteHeader(http.StatusNoContent)
	})
	for method, isQuiet := range map[string]bool{"PUT": true, "DELETE": false} {
		mux.HandleFunc(method+" /quiet", func(w http.ResponseWriter, _ *http.Request) {
			l.isQuiet.Store(isQuiet)
			w.WriteHeader(http.StatusNoContent)
		})
	}
	api := http.NewServeMux()
	api.HandleFunc("GET /api/v1/sandboxes", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusOK, map[string]any{"sandboxes": f.list()})
	})
	api.HandleFunc("POST /api/v1/sandboxes", f.handleCreate)
	api.HandleFunc("GET /api/v1/sandboxes/{id}", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := f.find(w, r); ok {
			respond(w, http.StatusOK, s)
		}
	})
	api.HandleFunc("POST /api/v1/sandboxes/bulk", f.handleBulkCreate)
	api.HandleFunc("POST /api/v1/sandboxes/bulk-action", f.handleBulkAction)
	for _, e := range errands {
		api.HandleFunc(e.route, func(w http.ResponseWriter, r *http.Request) { f.run(e, w, r) })
	}
	for _, v := range verbs {
		api.HandleFunc(v.route, func(w http.ResponseWriter, r *http.Request) { f.handle(v, w, r) })
	}
	api.HandleFunc("GET /api/v1/audit/events", func(w http.ResponseWriter, r *http.Request) { listAudit(client, w, r) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		api.ServeHTTP(w, r)
		// Lists ask the sidecar and wait for it; all else must not.
		if r.Method != http.MethodGet {
			latency.add(time.Since(began))
		}
	})
	return mux
}

// handle serves an operation on a sandbox. Its body, if any, is what the record tells as details.
func (f *fleet) handle(v verb, w http.ResponseWriter, r *http.Request) {
	s, ok := f.find(w, r)
	if !ok {
		return
	}
	details, ok := readDetails(w, r)
	if !ok {
		return
	}
	if backup := r.PathValue("backup"); backup != "" {
		details = "backup=" + backup
	}
	f.audit(r.Context(), actor(r), v.action, "sandbox", s.ID, details)
	if v.phase != "" {
		f.enter(r.Context(), s, v.phase, v.reason, "")
	}
	answer(w, v.status, v.answer)
}

// readDetails reads a body; false where it has answered that it cannot.
func readDetails(w http.ResponseWriter, r *http.Request) (string, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "the body is too large")
		return "", false
	}
	return strings.TrimSpace(string(body)), true
}

// answer responds, without a body where there is no document.
func answer(w http.ResponseWriter, status int, document any) {
	if document == nil {
		w.WriteHeader(status)
		return
	}
	respond(w, status, document)
}

func (f *fleet) find(w http.ResponseWriter, r *http.Request) (sandbox, bool) {
	s, ok := f.get(r.PathValue("id"))
	if !ok {
		fail(w, http.StatusNotFound, "sandbox not found")
	}
	return s, ok
}

func listAudit(client *storageclient.Client, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter := storageclient.AuditFilter{Actor: query.Get("actor"), SandboxID: query.Get("sandbox_id"), Limit: 100}
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			fail(w, http.StatusBadRequest, "limit must be a whole number above 0")
			return
		}
		filter.Limit = limit
	}
	events, err := client.ListAuditEvents(r.Context(), filter)
	if err != nil {
		fail(w, http.StatusBadGateway, err.Error())
		return
	}
	respond(w, http.StatusOK, map[string]any{"events": events})
}

// actor is who asks; the real Router takes it from the token.
func actor(r *http.Request) string {
	if name := r.Header.Get("X-Actor"); name != "" {
		return name
	}
	return defaultActor
}

func respond(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}

func fail(w http.ResponseWriter, status int, message string) {
	respond(w, status, map[string]string{"error": message})
}
