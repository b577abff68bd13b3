package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// loadWorkers is how many operations are under way at most.
const loadWorkers = 8

// load is the users: it calls the stand-in's own API at a steady mean rate.
type load struct {
	fleet     *fleet
	base      string
	rate      float64
	seed      uint64
	sandboxes int
	client    *http.Client

	done, failed atomic.Uint64
	// isQuiet: nobody calls for now.
	isQuiet atomic.Bool
}

func newLoad(c config, port int, fleet *fleet) *load {
	return &load{
		fleet: fleet,
		base:  fmt.Sprintf("http://127.0.0.1:%d/api/v1", port), rate: c.loadRate, seed: c.loadSeed,
		sandboxes: c.sandboxes,
		client: &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: loadWorkers},
		},
	}
}

func (l *load) counts() map[string]uint64 {
	return map[string]uint64{"done": l.done.Load(), "failed": l.failed.Load()}
}

func (l *load) reset() {
	l.done.Store(0)
	l.failed.Store(0)
}

// start makes load until the context ends; the channel closes when the last operation has.
func (l *load) start(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	if l.rate == 0 {
		close(done)
		return done
	}
	var group sync.WaitGroup
	for number := range loadWorkers {
		group.Go(func() { l.work(ctx, newWorker(l, number)) })
	}
	go func() {
		group.Wait()
		l.client.CloseIdleConnections()
		close(done)
	}()
	return done
}

// work lets a worker act: independent arrivals.
func (l *load) work(ctx context.Context, w *worker) {
	mean := float64(time.Second) * loadWorkers / l.rate
	next := time.Now()
	for {
		next = next.Add(time.Duration(w.random.ExpFloat64() * mean))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		if l.isQuiet.Load() {
			continue
		}
		w.act()
	}
}

// call makes one call. It is not cut by the end of the load: a stop waits for it.
func (l *load) call(method, path, body, who string) {
	l.done.Add(1)
	request, err := http.NewRequest(method, l.base+path, strings.NewReader(body))
	if err != nil {
		l.failed.Add(1)
		return
	}
	request.Header.Set("X-Actor", who)
	began := time.Now()
	response, err := l.client.Do(request)
	if err != nil {
		l.fail(method, path, began, err.Error())
		return
	}
	answer, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	switch {
	case response.StatusCode >= 300:
		l.fail(method, path, began, response.Status+" "+strings.TrimSpace(string(answer)))
	case err != nil:
		l.fail(method, path, began, err.Error())
	}
}

// fail counts a call that failed, and tells why: nothing here should.
func (l *load) fail(method, path string, began time.Time, why string) {
	l.failed.Add(1)
	l.fleet.logger.Error("a call failed", "call", method+" "+path, "why", why, "milliseconds", time.Since(began).Milliseconds())
}
