package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// loadWorkers is how many operations are under way at most.
const loadWorkers = 8

// load is the users: it calls the stand-in's own API at a steady mean rate, with the shares that
// the simulated fleet has.
type load struct {
	base      string
	rate      float64
	seed      uint64
	sandboxes int
	client    *http.Client

	done, failed atomic.Uint64
}

func newLoad(c config, port int) *load {
	return &load{
		base: fmt.Sprintf("http://127.0.0.1:%d/api/v1/sandboxes", port), rate: c.loadRate, seed: c.loadSeed,
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
	for worker := range loadWorkers {
		group.Go(func() { l.work(ctx, worker) })
	}
	go func() {
		group.Wait()
		l.client.CloseIdleConnections()
		close(done)
	}()
	return done
}

// work is one worker: independent arrivals, on sandboxes of its own.
func (l *load) work(ctx context.Context, worker int) {
	random := rand.New(rand.NewPCG(l.seed, uint64(worker)))
	own := max(1, l.sandboxes/loadWorkers)
	mean := float64(time.Second) * loadWorkers / l.rate
	next := time.Now()
	var names []string
	made := 0
	for {
		next = next.Add(time.Duration(random.ExpFloat64() * mean))
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next)):
		}
		if len(names) < own {
			made++
			name := fmt.Sprintf("sbx-%d-%d-%d-%x", l.seed, worker, made, random.Uint32())
			body := fmt.Sprintf(`{"name":%q,"namespace":%q,"templateRef":{"name":%q}}`, name, pick(random, teams), pick(random, templates))
			l.call("POST", "", body, email(random))
			names = append(names, name)
			continue
		}
		at := random.IntN(len(names))
		name := "/" + names[at]
		who := email(random)
		switch dice := random.Float64(); {
		case dice < 0.70:
			l.call("POST", name+"/exec", fmt.Sprintf(`{"command":%q}`, pick(random, commands)), who)
		case dice < 0.78:
			l.call("PATCH", name, pick(random, patches), who)
		case dice < 0.84:
			l.call("POST", name+"/share", fmt.Sprintf(`{"user":%q,"role":"viewer"}`, email(random)), who)
		case dice < 0.88:
			l.call("POST", name+"/clone", fmt.Sprintf(`{"name":"copy-%d"}`, random.IntN(100)), who)
		case dice < 0.92:
			l.call("POST", name+"/backups", "", who)
		case dice < 0.97:
			l.call("POST", name+"/stop", "", who)
			l.call("POST", name+"/resume", "", who)
		default:
			l.call("DELETE", name, "", who)
			names[at] = names[len(names)-1]
			names = names[:len(names)-1]
		}
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
	response, err := l.client.Do(request)
	if err != nil {
		l.failed.Add(1)
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if response.StatusCode >= 300 {
		l.failed.Add(1)
	}
}
