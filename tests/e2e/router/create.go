package main

import (
	"context"
	"encoding/json"
	"net/http"
)

// createRequest asks for a sandbox.
type createRequest struct {
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	TemplateRef *struct {
		Name string `json:"name"`
	} `json:"templateRef"`
}

// admit adds the sandbox that is asked for. Without one it tells the status and the problem.
func (f *fleet) admit(request createRequest) (s sandbox, status int, problem string) {
	if request.Name == "" || request.TemplateRef == nil || request.TemplateRef.Name == "" {
		return sandbox{}, http.StatusBadRequest, "name and templateRef.name are required"
	}
	if request.Namespace == "" {
		request.Namespace = defaultNamespace
	}
	s, isNew := f.create(request.Name, request.Namespace, request.TemplateRef.Name)
	if !isNew {
		return sandbox{}, http.StatusConflict, "a sandbox of this name exists"
	}
	return s, http.StatusCreated, ""
}

// begin records the first phases of a new sandbox.
func (f *fleet) begin(ctx context.Context, s sandbox) {
	f.enter(ctx, s, "Creating", "", "")
	f.enter(ctx, s, "Running", "Running", "all containers are ready")
}

func (f *fleet) handleCreate(w http.ResponseWriter, r *http.Request) {
	var request createRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes)).Decode(&request); err != nil {
		fail(w, http.StatusBadRequest, "invalid request body")
		return
	}
	s, status, problem := f.admit(request)
	if problem != "" {
		fail(w, status, problem)
		return
	}
	f.audit(r.Context(), actor(r), "create", "sandbox", s.ID, "template="+s.Template)
	f.begin(r.Context(), s)
	respond(w, status, s)
}
