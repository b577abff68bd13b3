package main

import (
	"net/http"
	"strings"
)

// errand is an operation on a template or a webhook, of which only the record is kept.
type errand struct {
	route    string
	action   string
	resource string
	status   int
	answer   any
}

var errands = []errand{
	{"POST /api/v1/templates", "create", "template", http.StatusCreated, status("created")},
	{"PUT /api/v1/templates/{name}", "patch", "template", http.StatusOK, status("patched")},
	{"DELETE /api/v1/templates/{name}", "delete", "template", http.StatusNoContent, nil},
	{"POST /api/v1/webhooks", "webhook.create", "webhook", http.StatusCreated, status("created")},
	{"DELETE /api/v1/webhooks/{name}", "webhook.delete", "webhook", http.StatusNoContent, nil},
}

// run serves an operation on what is no sandbox.
func (f *fleet) run(e errand, w http.ResponseWriter, r *http.Request) {
	details, ok := readDetails(w, r)
	if !ok {
		return
	}
	if name := r.PathValue("name"); name != "" {
		details = strings.TrimSpace("name=" + name + " " + details)
	}
	f.audit(r.Context(), actor(r), e.action, e.resource, "", details)
	answer(w, e.status, e.answer)
}
