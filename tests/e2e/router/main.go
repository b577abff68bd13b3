// Command router stands in for AgentTier's Router in tests: the same arguments, probes and routes
// where history is concerned, the same client, no Kubernetes behind it. It can make load on itself,
// keeps a journal of every record it sent, and measures its own latency.
//
//	GET /journal   every record, with what became of it, as newline-delimited JSON
//	GET /stats     the client's account, the latencies of /api/, and the load's counts
//	DELETE /stats  begins the latencies and the load's counts anew
//	PUT /quiet     records nothing of its own accord until DELETE /quiet
//
// Arguments of the real Router that mean nothing here are ignored. What is its own is set by the
// environment: see config.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	storageclient "github.com/agenttier/storage/clients/go"
)

// drainTimeout is how long the real Router drains.
const drainTimeout = 30 * time.Second

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := readConfig(os.Args[1:], os.Getenv)
	if err == nil {
		err = run(ctx, config, logger, nil)
	}
	if err != nil {
		logger.Error("the router ends with an error", "error", err.Error())
		os.Exit(1)
	}
}

// run makes the parts and serves until the context ends. listening, when not nil, is told the address.
func run(ctx context.Context, config config, logger *slog.Logger, listening func(net.Addr)) error {
	journal, err := newJournal(config.journal)
	if err != nil {
		return err
	}
	client, err := storageclient.New(storageclient.Options{
		URL: config.sidecarURL, Logger: logger, Observe: journal.observe,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", config.listenAddr)
	if err != nil {
		return errors.Join(err, client.Close())
	}
	if listening != nil {
		listening(listener.Addr())
	}
	logger.Info("listening", "address", listener.Addr().String(), "storage", client.Enabled(), "ignored", config.ignored)
	return serve(ctx, config, logger, client, journal, listener)
}

// serve serves until the context ends, or the listener fails, and then stops in the order that loses
// nothing: load, requests, what the platform records on its own, and the client last.
func serve(
	ctx context.Context, config config, logger *slog.Logger, client *storageclient.Client, journal *journal, listener net.Listener,
) error {
	fleet := newFleet(client, logger)
	latency := &histogram{}
	load := newLoad(config, listener.Addr().(*net.TCPAddr).Port, fleet)
	server := &http.Server{
		Handler:           routes(fleet, client, journal, latency, load),
		ReadHeaderTimeout: 10 * time.Second,
	}
	loading, stopLoading := context.WithCancel(ctx)
	defer stopLoading()
	background, stopBackground := context.WithCancel(context.Background())
	defer stopBackground()
	loadDone := load.start(loading)
	costDone := fleet.noteCosts(background, config.costInterval, &load.isQuiet)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	logger.Info("stopping")
	stopLoading()
	<-loadDone
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if shutdownErr := server.Shutdown(drain); err == nil {
		err = shutdownErr
	}
	stopBackground()
	<-costDone
	err = errors.Join(err, client.Close(), journal.close())
	logger.Info("stopped", "account", fmt.Sprintf("%+v", client.Stats()))
	return err
}
