package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
)

// worker is one of the load's users, with sandboxes, templates and webhooks of its own. It does all that
// the simulated fleet does, with about the same shares.
type worker struct {
	load   *load
	random *rand.Rand
	number int
	// most is how many sandboxes it keeps.
	most      int
	made      int
	sandboxes []*owned
	templates []string
	webhooks  []string
}

// owned is a sandbox, with the backups that were made of it, oldest first.
type owned struct {
	name    string
	backups []string
}

func newWorker(l *load, number int) *worker {
	return &worker{
		load: l, random: rand.New(rand.NewPCG(l.seed, uint64(number))), number: number, most: max(1, l.sandboxes/loadWorkers),
	}
}

// act does one thing.
func (w *worker) act() {
	if room := w.most - len(w.sandboxes); room > 0 {
		w.create(room)
		return
	}
	at := w.random.IntN(len(w.sandboxes))
	s := w.sandboxes[at]
	path := "/sandboxes/" + s.name
	who := email(w.random)
	switch dice := w.random.Float64(); {
	case dice < 0.68:
		w.load.call("POST", path+"/exec", fmt.Sprintf(`{"command":%q}`, pick(w.random, commands)), who)
	case dice < 0.75:
		w.load.call("PATCH", path, pick(w.random, patches), who)
	case dice < 0.80:
		w.load.call("POST", path+"/share", fmt.Sprintf(`{"user":%q,"role":%q}`, email(w.random), pick(w.random, roles)), who)
	case dice < 0.83:
		w.load.call("POST", path+"/clone", fmt.Sprintf(`{"name":"copy-%d"}`, w.random.IntN(100)), who)
	case dice < 0.87:
		w.befall(func(f *fleet) { f.snapshot(context.Background(), s.name, w.random.Float64() < 0.1) })
	case dice < 0.91:
		w.backUp(s, who)
	case dice < 0.93:
		w.befall(func(f *fleet) { f.crash(context.Background(), s.name, pick(w.random, failures)) })
	case dice < 0.96:
		w.pause(path, who)
	case dice < 0.98:
		w.tend(who)
	default:
		w.load.call("DELETE", path, "", who)
		w.sandboxes = append(w.sandboxes[:at], w.sandboxes[at+1:]...)
	}
}

// create makes a sandbox, or now and then some at once.
func (w *worker) create(room int) {
	isBulk := w.random.Float64() < 0.1
	if !isBulk {
		room = 1
	}
	var items []string
	for range min(room, 3) {
		w.made++
		name := fmt.Sprintf("sbx-%d-%d-%d-%x", w.load.seed, w.number, w.made, w.random.Uint32())
		items = append(items, fmt.Sprintf(`{"name":%q,"namespace":%q,"templateRef":{"name":%q}}`,
			name, pick(w.random, teams), pick(w.random, templates)))
		w.sandboxes = append(w.sandboxes, &owned{name: name})
	}
	if isBulk {
		w.load.call("POST", "/sandboxes/bulk", `{"items":[`+strings.Join(items, ",")+`]}`, email(w.random))
		return
	}
	w.load.call("POST", "/sandboxes", items[0], email(w.random))
}

func (w *worker) backUp(s *owned, who string) {
	path := "/sandboxes/" + s.name + "/backups"
	switch dice := w.random.Float64(); {
	case len(s.backups) == 0 || dice < 0.6:
		s.backups = append(s.backups, fmt.Sprintf("bkp-%x", w.random.Uint32()))
		w.load.call("POST", path, "", who)
	case dice < 0.8:
		w.load.call("POST", path+"/"+s.backups[0]+"/restore", "", who)
	default:
		w.load.call("DELETE", path+"/"+s.backups[0], "", who)
		s.backups = s.backups[1:]
	}
}

// pause stops a sandbox, by someone, by the team's evening sweep, or for idling, and resumes it.
func (w *worker) pause(path, who string) {
	switch dice := w.random.Float64(); {
	case dice < 0.5:
		w.load.call("POST", path+"/stop", "", who)
	case dice < 0.7:
		id := strings.TrimPrefix(path, "/sandboxes/")
		w.load.call("POST", "/sandboxes/bulk-action", fmt.Sprintf(`{"action":"stop","ids":[%q]}`, id), who)
	default:
		w.load.call("POST", path+"/stop", "idle for 30m", systemActor)
	}
	w.load.call("POST", path+"/resume", "", who)
}

// tend looks after what is no sandbox: templates and webhooks.
func (w *worker) tend(who string) {
	switch dice := w.random.Float64(); {
	case dice < 0.3:
		name := fmt.Sprintf("hook-%x", w.random.Uint32())
		w.webhooks = append(w.webhooks, name)
		w.load.call("POST", "/webhooks", fmt.Sprintf(`{"name":%q,"url":"https://hooks.example.com/"}`, name), who)
	case dice < 0.5 && len(w.webhooks) > 0:
		w.load.call("DELETE", "/webhooks/"+w.webhooks[0], "", who)
		w.webhooks = w.webhooks[1:]
	case dice < 0.7 || len(w.templates) == 0:
		name := fmt.Sprintf("%s-%x", pick(w.random, templates), w.random.Uint32())
		w.templates = append(w.templates, name)
		w.load.call("POST", "/templates", fmt.Sprintf(`{"name":%q,"note":"réglage par défaut"}`, name), who)
	case dice < 0.85:
		w.load.call("PUT", "/templates/"+w.templates[0], `{"note":"réglage"}`, who)
	default:
		w.load.call("DELETE", "/templates/"+w.templates[0], "", who)
		w.templates = w.templates[1:]
	}
}

// befall lets something happen that nobody asked for; it counts as an operation.
func (w *worker) befall(happen func(*fleet)) {
	w.load.done.Add(1)
	happen(w.load.fleet)
}
