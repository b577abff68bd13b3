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
		_ = c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "sbx-d1391b576cc0", Namespace: "team-a", CPUHours: 0.25})
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
	// The ring's chunks are allocated while it grows.
	for range DefaultMaxRecords {
		_ = c.RecordAuditEvent(t.Context(), sample)
	}
	if n := testing.AllocsPerRun(1000, func() { _ = c.RecordAuditEvent(context.Background(), sample) }); n > 1 {
		t.Errorf("a record takes %v allocations", n)
	}
}
