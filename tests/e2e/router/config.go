package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	storageclient "github.com/agenttier/storage/clients/go"
)

// config is what the stand-in is told, by the Router's argument --listen-addr and the environment:
//
//	STORAGE_SIDECAR_URL   where the sidecar is; none: a no-op
//	ROUTER_LOAD_RATE      operations a second that it makes on itself (default 0)
//	ROUTER_LOAD_SEED      equal seeds make equal choices (default 1)
//	ROUTER_SANDBOXES      how many sandboxes the load keeps (default 50)
//	ROUTER_COST_INTERVAL  between cost snapshots of all running sandboxes (default 15m)
//	ROUTER_JOURNAL        a file to which the journal is appended, or - for standard output
type config struct {
	listenAddr   string
	sidecarURL   string
	loadRate     float64
	loadSeed     uint64
	sandboxes    int
	costInterval time.Duration
	journal      string
	// ignored are the arguments that only the real Router knows.
	ignored []string
}

func readConfig(args []string, getenv func(string) string) (config, error) {
	c := config{
		listenAddr: ":8080", sidecarURL: getenv(storageclient.URLVariable), journal: getenv("ROUTER_JOURNAL"),
		loadSeed: 1, sandboxes: 50, costInterval: 15 * time.Minute,
	}
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if name != "listen-addr" {
			c.ignored = append(c.ignored, args[i])
			continue
		}
		if !hasValue && i+1 < len(args) {
			i++
			value = args[i]
		}
		c.listenAddr = value
	}
	var err error
	if text := getenv("ROUTER_LOAD_RATE"); text != "" {
		if c.loadRate, err = strconv.ParseFloat(text, 64); err != nil || !(c.loadRate >= 0 && c.loadRate < math.MaxInt32) {
			return c, fmt.Errorf("ROUTER_LOAD_RATE must be a number of operations a second, not %q", text)
		}
	}
	if text := getenv("ROUTER_LOAD_SEED"); text != "" {
		if c.loadSeed, err = strconv.ParseUint(text, 10, 64); err != nil {
			return c, fmt.Errorf("ROUTER_LOAD_SEED must be a whole number, not %q", text)
		}
	}
	if text := getenv("ROUTER_SANDBOXES"); text != "" {
		if c.sandboxes, err = strconv.Atoi(text); err != nil || c.sandboxes < 1 {
			return c, fmt.Errorf("ROUTER_SANDBOXES must be a whole number above 0, not %q", text)
		}
	}
	if text := getenv("ROUTER_COST_INTERVAL"); text != "" {
		if c.costInterval, err = time.ParseDuration(text); err != nil || c.costInterval <= 0 {
			return c, fmt.Errorf("ROUTER_COST_INTERVAL must be a duration such as 15m, not %q", text)
		}
	}
	return c, nil
}

// openJournal opens what ROUTER_JOURNAL names; nil for none.
func openJournal(name string) (*os.File, error) {
	switch name {
	case "":
		return nil, nil
	case "-":
		return os.Stdout, nil
	default:
		return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
}
