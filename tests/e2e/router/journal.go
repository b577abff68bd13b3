package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"

	storageclient "github.com/agenttier/storage/clients/go"
)

// flushEvery is how much of the journal's file a killed process may lack.
const flushEvery = 50 * time.Millisecond

// entry is one record that was sent.
type entry struct {
	EventID string                `json:"event_id"`
	Kind    string                `json:"kind"`
	Outcome storageclient.Outcome `json:"outcome"`
	// At is when it came to this outcome.
	At time.Time `json:"at"`
}

// journal knows every record that the client was given and what became of it. Its file, if it has
// one, gets a line for each step, the last of a record being the one that counts.
type journal struct {
	mu      sync.Mutex
	entries []entry
	places  map[string]int
	// steps are not in the file yet: writing may block, and the client must not.
	steps []entry
	file  *os.File
	stop  chan struct{}
	done  chan error
}

func newJournal(name string) (*journal, error) {
	file, err := openJournal(name)
	if err != nil {
		return nil, err
	}
	j := &journal{places: map[string]int{}, file: file, stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { j.done <- j.write() }()
	return j, nil
}

// observe takes a step of a record; it never blocks for long.
func (j *journal) observe(o storageclient.Observation) {
	e := entry{o.EventID, o.Kind, o.Outcome, time.Now().UTC()}
	j.mu.Lock()
	defer j.mu.Unlock()
	if place, isKnown := j.places[e.EventID]; isKnown {
		j.entries[place] = e
	} else {
		j.places[e.EventID] = len(j.entries)
		j.entries = append(j.entries, e)
	}
	if j.file != nil {
		j.steps = append(j.steps, e)
	}
}

// render writes every record once, in the order in which they were recorded.
func (j *journal) render(w io.Writer) error {
	j.mu.Lock()
	// A copy: the reader may be slow.
	entries := append([]entry(nil), j.entries...)
	j.mu.Unlock()
	return encode(w, entries)
}

func (j *journal) write() error {
	if j.file == nil {
		return nil
	}
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	for {
		isLast := false
		select {
		case <-ticker.C:
		case <-j.stop:
			isLast = true
		}
		j.mu.Lock()
		steps := j.steps
		j.steps = nil
		j.mu.Unlock()
		if err := encode(j.file, steps); err != nil || isLast {
			return err
		}
	}
}

func encode(w io.Writer, entries []entry) error {
	buffer := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffer)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			return err
		}
	}
	return buffer.Flush()
}

// close writes what is left. It comes after the client's end.
func (j *journal) close() error {
	close(j.stop)
	err := <-j.done
	if j.file != nil && j.file != os.Stdout {
		if closeErr := j.file.Close(); err == nil {
			err = closeErr
		}
	}
	return err
}
