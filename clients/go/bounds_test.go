package storageclient

// What a full ring drops, and what is refused at once.

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDropsTheOldestWhenFull(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	f.set(func(http.ResponseWriter, request) bool { <-release; return false })
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, MaxRecords: 10, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 25)
	if s := c.Stats(); s.Queued != 10 || s.Dropped != 15 {
		t.Errorf("stats are %+v", s)
	}
	close(release)
	closeClean(t, c)
	records := f.records("/v1/audit-events")
	if records[0]["details"] != "0" {
		t.Error("the record in flight was dropped")
	}
	wantDetails(t, records[1:], 16, 25)
	if !strings.Contains(log.String(), "dropped records") {
		t.Errorf("the log is:\n%s", log)
	}
}

func TestTheSmallestRingsKeepTheNewestWhileABatchIsInFlight(t *testing.T) {
	big := strings.Repeat("x", 60_000)
	for name, example := range map[string]struct {
		options Options
		text    string
	}{
		"by records":                          {Options{MaxRecords: minRecords}, ""},
		"by bytes":                            {Options{MaxBytes: minBytes}, big},
		"by bytes, with the largest there is": {Options{MaxBytes: minBytes}, strings.Repeat("x", maxText-len("execsandbox"))},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t)
			release := make(chan struct{})
			end := sync.OnceFunc(func() { close(release) })
			defer end()
			f.set(func(http.ResponseWriter, request) bool { <-release; return false })
			example.options.URL = f.URL
			c := start(t, example.options, quick())
			record := func(text string) {
				if err := c.RecordAuditEvent(t.Context(), AuditEvent{Action: "exec", Resource: "sandbox", Details: text}); err != nil {
					t.Fatal(err)
				}
			}
			record("first")
			eventually(t, "the first in flight", func() bool { return len(f.all()) == 1 })
			for range 17 {
				record(example.text)
			}
			release <- struct{}{}
			eventually(t, "as many as may be in flight", func() bool { return len(f.all()) == 2 })
			for range 17 {
				record(example.text)
			}
			newest := "newest" + example.text[min(len("newest"), len(example.text)):]
			record(newest)
			end()
			closeClean(t, c)
			stored := f.records("/v1/audit-events")
			if last := stored[len(stored)-1]["details"]; stored[0]["details"] != "first" || last != newest {
				t.Error("the newest record was dropped")
			}
		})
	}
}

func TestMakesNoMoreRoomThanTheNewRecordNeeds(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	end := sync.OnceFunc(func() { close(release) })
	defer end()
	f.set(func(http.ResponseWriter, request) bool { <-release; return false })
	c := start(t, Options{URL: f.URL, MaxBytes: minBytes}, quick())
	big := AuditEvent{Action: "exec", Resource: "sandbox", Details: strings.Repeat("x", 60_000)}
	_ = c.RecordSandboxEvent(t.Context(), SandboxEvent{SandboxID: "sbx-1", Phase: "Running"})
	eventually(t, "the first in flight", func() bool { return len(f.all()) == 1 })
	for range 17 {
		_ = c.RecordAuditEvent(t.Context(), big)
	}
	release <- struct{}{}
	eventually(t, "as many as may be in flight", func() bool { return len(f.all()) == 2 })
	audit(t, c, 0, 100)
	before := c.Stats().Dropped
	_ = c.RecordAuditEvent(t.Context(), big)
	if n := c.Stats().Dropped - before; n > 1 {
		t.Errorf("%d records made room for one", n)
	}
	end()
	closeClean(t, c)
}

func TestDropsByBytesToo(t *testing.T) {
	c := start(t, Options{URL: "http://127.0.0.1:1", MaxBytes: 1 << 20}, quick())
	text := strings.Repeat("x", 60_000)
	for range 100 {
		_ = c.RecordAuditEvent(t.Context(), AuditEvent{Action: "exec", Resource: "sandbox", Details: text})
		if s := c.Stats(); s.QueuedBytes > 1<<20 {
			t.Fatalf("stats are %+v", s)
		}
	}
	if s := c.Stats(); s.Dropped < 80 || s.Queued < 8 {
		t.Errorf("stats are %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = c.Shutdown(ctx)
}

func TestSurvivesAnObserverThatPanics(t *testing.T) {
	var seen []Outcome
	isCareless := true
	c := start(t, Options{URL: "http://127.0.0.1:1", MaxRecords: 2, Observe: func(o Observation) {
		seen = append(seen, o.Outcome)
		if isCareless {
			panic("observer")
		}
	}}, quick())
	record := func(details string) (panicked any) {
		defer func() { panicked = recover() }()
		_ = c.RecordAuditEvent(t.Context(), AuditEvent{Action: "exec", Resource: "sandbox", Details: details})
		return nil
	}
	for _, details := range []string{"first", "second", "third, for which there is no room", "fourth", strings.Repeat("x", maxText)} {
		if record(details) != "observer" {
			t.Errorf("the panic did not reach the caller of %.50q", details)
		}
		balance(t, c.Stats())
	}
	want := []Outcome{Queued, Queued, Dropped, Queued, Rejected}
	if !slices.Equal(seen, want) {
		t.Errorf("observed %v, want %v", seen, want)
	}
	if s := c.Stats(); s.Recorded != 4 || s.Queued != 2 {
		t.Errorf("stats are %+v", s)
	}
	c.mu.Lock()
	isCareless = false
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = c.Shutdown(ctx)
}

func TestRefusesWhatCannotBeSent(t *testing.T) {
	f := startFake(t)
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	ctx := t.Context()
	for i, err := range []error{
		c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", CPUHours: math.NaN()}),
		c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", EstimatedUSD: math.Inf(-1)}),
		c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", MemGBHours: math.Inf(1)}),
		c.RecordAuditEvent(ctx, AuditEvent{Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		c.RecordAuditEvent(ctx, AuditEvent{Time: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)}),
		c.RecordSandboxEvent(ctx, SandboxEvent{Message: strings.Repeat("x", 600<<10)}),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("case %d: the error is %v", i, err)
		}
	}
	closeClean(t, c)
	if s := c.Stats(); s.Recorded != 6 || s.Rejected != 6 || len(f.all()) != 0 {
		t.Errorf("stats are %+v", s)
	}
	if !strings.Contains(log.String(), "refused records that cannot be sent") {
		t.Errorf("the log is:\n%s", log)
	}
}

func TestTellsWhatWasLostThoughNothingIsSent(t *testing.T) {
	f := startFake(t)
	log := &logBuffer{}
	c := start(t, Options{URL: f.URL, Logger: slog.New(slog.NewTextHandler(log, nil))}, quick())
	// The sender sleeps by now.
	time.Sleep(50 * time.Millisecond)
	refused := CostSnapshot{SandboxID: "a", CPUHours: math.NaN()}
	_ = c.RecordCostSnapshot(t.Context(), refused)
	eventually(t, "a word about it", func() bool { return log.String() != "" })
	for range 1_000 {
		_ = c.RecordCostSnapshot(t.Context(), refused)
	}
	time.Sleep(50 * time.Millisecond)
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "a number is NaN") {
		t.Errorf("the log is:\n%s", text)
	}
	closeClean(t, c)
	if text := log.String(); !strings.Contains(text, "records=1000") {
		t.Errorf("after the close the log is:\n%s", text)
	}
}
