//go:build sidecar

// Tests with real sidecar processes. STORAGE_TEST_SIDECAR holds the command that runs one, as a JSON
// array; tests/clients/go.test.ts sets it.

package storageclient

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sidecar is a real sidecar, which can be killed and started again at the same address.
type sidecar struct {
	t       *testing.T
	env     []string
	address string
	command *exec.Cmd
}

func startSidecar(t *testing.T, env ...string) *sidecar {
	t.Helper()
	s := &sidecar{t: t, env: env, address: "127.0.0.1:0"}
	s.start()
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return s
}

func (s *sidecar) url() string { return "http://" + s.address }

func (s *sidecar) start() {
	s.t.Helper()
	var argv []string
	if err := json.Unmarshal([]byte(os.Getenv("STORAGE_TEST_SIDECAR")), &argv); err != nil || len(argv) == 0 {
		s.t.Fatal("STORAGE_TEST_SIDECAR must hold the sidecar's command as a JSON array; run `npx vitest run --config tests/vitest.config.ts tests/clients`")
	}
	s.command = exec.Command(argv[0], argv[1:]...)
	s.command.Env = append([]string{"STORAGE_API_ADDRESS=" + s.address, "STORAGE_OPS_ADDRESS=off"}, s.env...)
	output, err := s.command.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	listening := make(chan string, 1)
	go func() {
		defer close(listening)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var line struct{ Msg, Listener, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" && line.Listener == "api" {
				listening <- line.Address
			}
		}
	}()
	select {
	case address, ok := <-listening:
		if !ok {
			s.t.Fatal("the sidecar ended before it listened")
		}
		s.address = address
	case <-time.After(30 * time.Second):
		s.t.Fatal("the sidecar does not listen")
	}
}

func (s *sidecar) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}

// end signals and waits for the end.
func (s *sidecar) end(signal syscall.Signal) {
	if s.command.ProcessState != nil {
		return
	}
	_ = s.command.Process.Signal(signal)
	_ = s.command.Wait()
}

func sqlite(t *testing.T) string {
	return "STORAGE_SQLITE_PATH=" + filepath.Join(t.TempDir(), "agenttier.db")
}

// listed reads all audit events, oldest first, when the ring is empty.
func listed(t *testing.T, c *Client) []AuditEvent {
	t.Helper()
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	var events []AuditEvent
	eventually(t, "a list", func() bool {
		var err error
		events, err = c.ListAuditEvents(t.Context(), AuditFilter{})
		return err == nil
	})
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events
}

func TestSixteenGoroutinesLoseNothing(t *testing.T) {
	s := startSidecar(t, sqlite(t))
	c := start(t, Options{URL: s.url()}, defaultPacing)
	const workers, each = 16, 2_000
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for i := range each {
				e := AuditEvent{Actor: fmt.Sprint(w), Action: "exec", Resource: "sandbox", Details: fmt.Sprint(i)}
				if err := c.RecordAuditEvent(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	next := map[string]int{}
	for _, e := range listed(t, c) {
		if e.Details != fmt.Sprint(next[e.Actor]) {
			t.Fatalf("worker %s: details %s where %d were due", e.Actor, e.Details, next[e.Actor])
		}
		next[e.Actor]++
	}
	if len(next) != workers || next["0"] != each {
		t.Errorf("listed %v", next)
	}
	if s := c.Stats(); s.Stored != workers*each {
		t.Errorf("stats are %+v", s)
	}
}

func TestASidecarThatIsKilledAgainAndAgainLosesNothing(t *testing.T) {
	s := startSidecar(t, sqlite(t))
	c := start(t, Options{URL: s.url()}, defaultPacing)
	const total = 6_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range total {
			e := AuditEvent{Action: "exec", Resource: "sandbox", Details: fmt.Sprint(i)}
			if err := c.RecordAuditEvent(context.Background(), e); err != nil {
				t.Error(err)
			}
			time.Sleep(500 * time.Microsecond)
		}
	}()
	for range 3 {
		time.Sleep(300 * time.Millisecond)
		s.end(syscall.SIGKILL)
		s.start()
	}
	<-done
	events := listed(t, c)
	stats := c.Stats()
	// After a kill the new process may queue for a moment until its file is open, but not lose.
	if stats.Dropped+stats.Rejected+stats.Unconfirmed != 0 || len(events) != total {
		t.Errorf("%d are listed; stats are %+v", len(events), stats)
	}
	for i, e := range events {
		if e.Details != fmt.Sprint(i) {
			t.Fatalf("event %d has details %s", i, e.Details)
		}
	}
}

func TestACleanRestartLosesNothing(t *testing.T) {
	s := startSidecar(t, sqlite(t))
	c := start(t, Options{URL: s.url()}, defaultPacing)
	audit(t, c, 0, 100)
	eventually(t, "the first", func() bool { return c.Stats().Queued == 0 })
	s.end(syscall.SIGTERM)
	audit(t, c, 100, 200)
	s.start()
	if events := listed(t, c); len(events) != 200 {
		t.Errorf("%d are listed; stats are %+v", len(events), c.Stats())
	}
}

func TestTheSidecarJudgesEachRecordForItself(t *testing.T) {
	s := startSidecar(t, sqlite(t))
	c := start(t, Options{URL: s.url()}, defaultPacing)
	ctx := t.Context()
	good := AuditEvent{Actor: "日本 \"x\"\\ \u2028 \x7f\n", Action: "exec", Resource: "sandbox", Details: strings.Repeat("ü", 32_767)}
	_ = c.RecordAuditEvent(ctx, good)
	for _, bad := range []AuditEvent{
		{Action: "exec", Resource: "sandbox", Details: "a\x00b"},
		{Action: "exec", Resource: "sandbox", Details: "a\xffb"},
		{Action: "exec", Resource: "sandbox", Details: strings.Repeat("x", 65_536)},
		{Action: "exec", Resource: "sandbox", Details: strings.Repeat("x", 500<<10)},
		{Action: "exec", Resource: "sandbox", Details: strings.Repeat("\x00", 500<<10)},
		{Action: "exec"},
	} {
		_ = c.RecordAuditEvent(ctx, bad)
	}
	_ = c.RecordAuditEvent(ctx, good)
	_ = c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", CPUHours: -1})
	_ = c.RecordCostSnapshot(ctx, CostSnapshot{SandboxID: "a", CPUHours: math.MaxFloat64, MemGBHours: 5e-324})
	events := listed(t, c)
	if len(events) != 2 || events[0].Actor != good.Actor || events[1].Details != good.Details {
		t.Errorf("%d are listed", len(events))
	}
	if s := c.Stats(); s.Stored != 3 || s.Rejected != 7 || s.FailedAttempts != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestASidecarThatHangsHoldsUpNobody(t *testing.T) {
	s := startSidecar(t, sqlite(t))
	p := quick()
	p.timeout = 500 * time.Millisecond
	c := start(t, Options{URL: s.url()}, p)
	s.signal(syscall.SIGSTOP)
	began := time.Now()
	audit(t, c, 0, 1_000)
	if took := time.Since(began); took > time.Second {
		t.Errorf("1,000 records took %s", took)
	}
	eventually(t, "a failed attempt", func() bool { return c.Stats().FailedAttempts > 0 })
	s.signal(syscall.SIGCONT)
	if events := listed(t, c); len(events) != 1_000 {
		t.Errorf("%d are listed; stats are %+v", len(events), c.Stats())
	}
}

func TestANoOpSidecarConfirmsNothing(t *testing.T) {
	s := startSidecar(t, "STORAGE_DRIVER=none")
	c := start(t, Options{URL: s.url()}, defaultPacing)
	audit(t, c, 0, 10)
	if events := listed(t, c); len(events) != 0 {
		t.Errorf("%d are listed", len(events))
	}
	if s := c.Stats(); s.Unconfirmed != 10 {
		t.Errorf("stats are %+v", s)
	}
}

func TestStorageThatIsDownIsWaitedForAndThenLeftToTheSidecar(t *testing.T) {
	// A directory cannot be a database: storage is down, and stays so.
	s := startSidecar(t, "STORAGE_SQLITE_PATH="+t.TempDir())
	c := start(t, Options{URL: s.url()}, defaultPacing)
	audit(t, c, 0, 10)
	time.Sleep(300 * time.Millisecond)
	if s := c.Stats(); s.Queued != 10 {
		t.Errorf("stats are %+v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s.Unconfirmed != 10 {
		t.Errorf("stats are %+v", s)
	}
}

func TestWhileStorageIsDownTheSidecarsMemoryFillsBeforeTheRing(t *testing.T) {
	s := startSidecar(t, "STORAGE_SQLITE_PATH="+t.TempDir())
	p := defaultPacing
	p.wait = 5 * time.Second
	c := start(t, Options{URL: s.url()}, p)
	for burst := range 2 {
		audit(t, c, 48_000*burst, 48_000*(burst+1))
		eventually(t, "all with the sidecar", func() bool { return c.Stats().Queued < 16_384 })
	}
	audit(t, c, 96_000, 144_000)
	if s := c.Stats(); s.Dropped != 0 {
		t.Errorf("stats are %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = c.Shutdown(ctx)
}

func TestASmallQueueOfASidecarDoesNotStopTheClient(t *testing.T) {
	s := startSidecar(t, sqlite(t), "STORAGE_QUEUE_BYTES=128Ki")
	c := start(t, Options{URL: s.url()}, defaultPacing)
	audit(t, c, 0, 20_000)
	if events := listed(t, c); len(events) != 20_000 {
		t.Errorf("%d are listed; stats are %+v", len(events), c.Stats())
	}
	if s := c.Stats(); s.FailedAttempts > 10 {
		t.Errorf("stats are %+v", s)
	}
}
