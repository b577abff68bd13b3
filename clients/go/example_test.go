package storageclient_test

import (
	"context"
	"fmt"
	"log/slog"

	storageclient "github.com/agenttier/storage/clients/go"
)

func Example() {
	// STORAGE_SIDECAR_URL is not set here: the client is a no-op.
	client, err := storageclient.NewFromEnv(storageclient.Options{Logger: slog.Default()})
	if err != nil {
		slog.Error("no history will be kept", "error", err)
		client = &storageclient.Client{}
	}
	defer client.Close()

	err = client.RecordAuditEvent(context.Background(), storageclient.AuditEvent{
		Actor: "ana@example.com", Action: "create", Resource: "sandbox", SandboxID: "sbx-1",
	})
	fmt.Println(err, client.Enabled())
	// Output: <nil> false
}
