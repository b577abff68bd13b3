package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	storageclient "github.com/agenttier/storage/clients/go"
)

// sandbox is what there is of a sandbox here.
type sandbox struct {
	ID        string `json:"sandboxId"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Template  string `json:"templateRef"`
	Phase     string `json:"status"`

	notedAt time.Time
}

// recorder is the part of the Router's storage.Backend that writes.
type recorder interface {
	RecordSandboxEvent(ctx context.Context, e storageclient.SandboxEvent) error
	RecordAuditEvent(ctx context.Context, e storageclient.AuditEvent) error
	RecordCostSnapshot(ctx context.Context, s storageclient.CostSnapshot) error
}

// fleet is the sandboxes, in memory, and what is recorded about them.
type fleet struct {
	store  recorder
	logger *slog.Logger

	mu        sync.Mutex
	sandboxes map[string]*sandbox
}

func newFleet(store recorder, logger *slog.Logger) *fleet {
	return &fleet{store: store, logger: logger, sandboxes: map[string]*sandbox{}}
}

// create adds a sandbox; false where there is one of that name.
func (f *fleet) create(name, namespace, template string) (sandbox, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, exists := f.sandboxes[name]; exists {
		return sandbox{}, false
	}
	s := &sandbox{ID: name, Name: name, Namespace: namespace, Template: template, Phase: "Creating", notedAt: time.Now()}
	f.sandboxes[name] = s
	return *s, true
}

func (f *fleet) get(id string) (sandbox, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.sandboxes[id]
	if !ok {
		return sandbox{}, false
	}
	return *s, true
}

func (f *fleet) list() []sandbox {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]sandbox, 0, len(f.sandboxes))
	for _, s := range f.sandboxes {
		all = append(all, *s)
	}
	return all
}

// enter brings a sandbox into a phase and records the transition, as the controller does.
func (f *fleet) enter(ctx context.Context, s sandbox, phase, reason, message string) {
	f.mu.Lock()
	if live, ok := f.sandboxes[s.ID]; ok {
		live.Phase = phase
		if phase == "Deleting" {
			delete(f.sandboxes, s.ID)
		}
	}
	f.mu.Unlock()
	f.note(f.store.RecordSandboxEvent(ctx, storageclient.SandboxEvent{
		SandboxID: s.ID, SandboxName: s.Name, Namespace: s.Namespace, Phase: phase, Reason: reason, Message: message,
	}))
}

// audit records what someone did, as the real Router's recordAudit does.
func (f *fleet) audit(ctx context.Context, actor, action, resource, sandboxID, details string) {
	f.note(f.store.RecordAuditEvent(ctx, storageclient.AuditEvent{
		Actor: actor, Action: action, Resource: resource, SandboxID: sandboxID, Details: details,
	}))
}

// noteCosts records what the running sandboxes cost, by one clock, until the context ends. What a quiet
// time costs is in the record after it.
func (f *fleet) noteCosts(ctx context.Context, every time.Duration, isQuiet *atomic.Bool) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				if !isQuiet.Load() {
					f.noteCost(ctx, now)
				}
			}
		}
	}()
	return done
}

func (f *fleet) noteCost(ctx context.Context, now time.Time) {
	const cpus, memoryGB, cpuHourUSD, gbHourUSD = 0.5, 2, 0.0405, 0.00445
	f.mu.Lock()
	var snapshots []storageclient.CostSnapshot
	for _, s := range f.sandboxes {
		hours := now.Sub(s.notedAt).Hours()
		s.notedAt = now
		if s.Phase != "Running" || hours < 0 {
			continue
		}
		cpu, memory := cpus*hours, memoryGB*hours
		snapshots = append(snapshots, storageclient.CostSnapshot{
			Time: now, SandboxID: s.ID, Namespace: s.Namespace,
			CPUHours: cpu, MemGBHours: memory, EstimatedUSD: cpu*cpuHourUSD + memory*gbHourUSD,
		})
	}
	f.mu.Unlock()
	for _, s := range snapshots {
		f.note(f.store.RecordCostSnapshot(ctx, s))
	}
}

func (f *fleet) note(err error) {
	if err != nil {
		f.logger.Warn("failed to record", "error", err.Error())
	}
}
