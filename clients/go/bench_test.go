package storageclient

import (
	"context"
	"testing"
	"time"
)

var sample = AuditEvent{
	Actor:     "ana@data-science.example.com",
	Action:    "exec",
	Resource:  "sandbox",
	SandboxID: "sbx-d1391b576cc0",
	Details:   "python train.py --epochs 3",
}

var sampleTransition = SandboxEvent{
	SandboxID:   "sbx-d1391b576cc0",
	SandboxName: "ana-notebook-7",
	Namespace:   "team-atlas",
	Phase:       "Running",
	Reason:      "Restarted",
	Message:     "all containers are ready",
}

var sampleCost = CostSnapshot{SandboxID: "sbx-d1391b576cc0", Namespace: "team-atlas", CPUHours: 0.25}

// away is a client whose sidecar is away, and whose sender therefore sleeps: what is measured is the
// recording alone, at first into a ring that fills and then into a full one.
func away(tb testing.TB) *Client {
	tb.Helper()
	p := defaultPacing
	p.firstPause, p.maxPause = time.Hour, time.Hour
	c, err := newClient(Options{URL: "http://127.0.0.1:1", Logger: silent()}, p)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = c.Shutdown(ctx)
	})
	return c
}

// The bar for each of the Record methods from one goroutine is 300 ns and 1 allocation.

func BenchmarkRecordAuditEvent(b *testing.B) {
	c := away(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = c.RecordAuditEvent(ctx, sample)
	}
}

func BenchmarkRecordCostSnapshot(b *testing.B) {
	c := away(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = c.RecordCostSnapshot(ctx, sampleCost)
	}
}

func BenchmarkRecordSandboxEvent(b *testing.B) {
	c := away(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_ = c.RecordSandboxEvent(ctx, sampleTransition)
	}
}

func BenchmarkRecordFromManyGoroutines(b *testing.B) {
	c := away(b)
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = c.RecordAuditEvent(context.Background(), sample)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	texts := sample.Actor + sample.Action
	r := &record{text: []byte(texts), ends: [maxTexts]uint32{uint32(len(sample.Actor)), uint32(len(texts)), uint32(len(texts)), uint32(len(texts)), uint32(len(texts))}}
	var dst []byte
	for b.Loop() {
		dst = appendRecord(dst[:0], auditEvent, r)
	}
}

func TestRecordingAllocatesOnce(t *testing.T) {
	c := away(t)
	ctx := context.Background()
	// The ring's chunks are allocated while it grows.
	for range DefaultMaxRecords {
		_ = c.RecordAuditEvent(ctx, sample)
	}
	for name, record := range map[string]func(){
		"audit event":   func() { _ = c.RecordAuditEvent(ctx, sample) },
		"sandbox event": func() { _ = c.RecordSandboxEvent(ctx, sampleTransition) },
		"cost snapshot": func() { _ = c.RecordCostSnapshot(ctx, sampleCost) },
	} {
		if n := testing.AllocsPerRun(1000, record); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
