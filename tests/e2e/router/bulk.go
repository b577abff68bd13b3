package main

import (
	"encoding/json"
	"net/http"
)

// bulkPhases are the actions on many sandboxes, and the phase that each brings them into.
var bulkPhases = map[string]struct{ phase, reason string }{
	"stop":   {"Stopped", "Stopped"},
	"resume": {"Running", "Running"},
	"delete": {"Deleting", ""},
}

// handleBulkCreate makes many sandboxes. As in the real Router it is one audit event, of no sandbox.
func (f *fleet) handleBulkCreate(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Items []createRequest `json:"items"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&request); err != nil || len(request.Items) == 0 {
		fail(w, http.StatusBadRequest, "invalid request body")
		return
	}
	type result struct {
		Index  int    `json:"index"`
		Status string `json:"status"`
		ID     string `json:"sandboxId,omitempty"`
		Error  string `json:"error,omitempty"`
	}
	var results []result
	for i, item := range request.Items {
		s, _, problem := f.admit(item)
		if problem != "" {
			results = append(results, result{Index: i, Status: "error", Error: problem})
			continue
		}
		f.begin(r.Context(), s)
		results = append(results, result{Index: i, Status: "created", ID: s.ID})
	}
	f.audit(r.Context(), actor(r), "bulk.create", "sandbox", "", "")
	respond(w, http.StatusOK, map[string]any{"results": results})
}

// handleBulkAction stops, resumes or deletes many sandboxes.
func (f *fleet) handleBulkAction(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Action string   `json:"action"`
		IDs    []string `json:"ids"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&request)
	to, isKnown := bulkPhases[request.Action]
	if err != nil || !isKnown {
		fail(w, http.StatusBadRequest, "the action must be stop, resume or delete")
		return
	}
	type result struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Error  string `json:"error,omitempty"`
	}
	var results []result
	for _, id := range request.IDs {
		s, ok := f.get(id)
		if !ok {
			results = append(results, result{ID: id, Status: "error", Error: "sandbox not found"})
			continue
		}
		f.enter(r.Context(), s, to.phase, to.reason, "")
		results = append(results, result{ID: id, Status: "ok"})
	}
	f.audit(r.Context(), actor(r), "bulk."+request.Action, "sandbox", "", "")
	respond(w, http.StatusOK, map[string]any{"results": results})
}
