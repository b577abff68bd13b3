package storageclient

// What becomes of records that the sidecar takes and does not store yet.

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnAnswerOf202IsUnconfirmed(t *testing.T) {
	f := startFake(t)
	f.set(func(w http.ResponseWriter, r request) bool {
		reply(w, 202, map[string]any{"accepted": len(r.lines) - 1, "rejected_count": 1, "rejected": []rejection{{0, "bad"}}})
		return true
	})
	var outcomes []Outcome
	c := start(t, Options{URL: f.URL, Observe: func(o Observation) { outcomes = append(outcomes, o.Outcome) }}, quick())
	audit(t, c, 0, 1)
	eventually(t, "the record", func() bool { return c.Stats().Queued == 0 })
	f.set(func(w http.ResponseWriter, r request) bool {
		reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
		return true
	})
	audit(t, c, 0, 1)
	closeClean(t, c)
	if s := c.Stats(); s.Unconfirmed != 1 || s.Rejected != 1 {
		t.Errorf("stats are %+v", s)
	}
	if want := []Outcome{Queued, Rejected, Queued, Unconfirmed}; fmt.Sprint(outcomes) != fmt.Sprint(want) {
		t.Errorf("observed %v, want %v", outcomes, want)
	}
}

// unstored answers as a sidecar whose storage is down, once a wait is over.
func unstored(w http.ResponseWriter, r request) bool {
	var seconds int
	_, _ = fmt.Sscanf(r.prefer, "wait=%d", &seconds)
	time.Sleep(time.Duration(seconds) * time.Second)
	reply(w, 202, map[string]any{"accepted": len(r.lines), "rejected_count": 0, "rejected": []rejection{}})
	return true
}

func prefers(requests []request) string {
	var all []string
	for _, r := range requests {
		all = append(all, r.prefer)
	}
	return strings.Join(all, ",")
}

func TestWhileStorageIsDownACrowdedRingGoesToTheSidecarWithoutWaiting(t *testing.T) {
	f := startFake(t)
	f.set(unstored)
	p := quick()
	p.wait = time.Second
	c := start(t, Options{URL: f.URL, MaxRecords: 1_000}, p)
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 901)
	// 500, and the other 400, which are more than a quarter of the ring.
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	// What is no crowd waits, and learns that storage is back.
	f.set(nil)
	audit(t, c, 901, 902)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	audit(t, c, 902, 1_500)
	closeClean(t, c)
	if got := prefers(f.all()); !strings.HasPrefix(got, "wait=1,,,wait=1,wait=1") {
		t.Errorf("the requests preferred %s", got)
	}
	if s := c.Stats(); s.Unconfirmed != 901 || s.Stored != 599 {
		t.Errorf("stats are %+v", s)
	}
}

func TestACrowdedRingFindsOutThatStorageIsBack(t *testing.T) {
	f := startFake(t)
	release := make(chan struct{})
	var isBack atomic.Bool
	f.set(func(w http.ResponseWriter, r request) bool {
		if isBack.Swap(true) {
			return false
		}
		<-release
		r.prefer = ""
		return unstored(w, r)
	})
	p := quick()
	p.probeEvery = 0
	c := start(t, Options{URL: f.URL, MaxRecords: 1_000}, p)
	audit(t, c, 0, 1)
	eventually(t, "the first request", func() bool { return len(f.all()) == 1 })
	audit(t, c, 1, 900)
	close(release)
	eventually(t, "an empty ring", func() bool { return c.Stats().Queued == 0 })
	if got := prefers(f.all()); got != "wait=10,wait=1,wait=10" {
		t.Errorf("the requests preferred %s", got)
	}
}
