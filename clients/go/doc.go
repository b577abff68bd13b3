// Package storageclient sends the Router's history to the storage sidecar beside it.
//
// A [Client] has the methods of the Router's storage.Backend. Its Record methods never wait: they
// stamp a time and an event id, copy the record into a bounded ring and return. One goroutine posts
// what has gathered, in batches of one kind, and retries for as long as the sidecar is away; event
// ids make a repeated batch harmless. When the ring is full its oldest records make room and are
// counted as dropped.
//
//	client, err := storageclient.NewFromEnv(storageclient.Options{Logger: logger})
//	if err != nil {
//		return err // STORAGE_SIDECAR_URL cannot be used
//	}
//	defer client.Close()
//
// Without a URL the client is a no-op: it accepts everything and keeps nothing.
//
// # What is valid
//
// The sidecar alone judges records, and nothing is mended on the way: texts are sent byte for byte,
// so that malformed UTF-8, NUL characters and texts beyond their limit are refused there, each
// record for itself, logged here without its content and counted as rejected. Only what cannot be
// sent at all is refused by the Record methods: NaN and infinite numbers, times outside the years
// 1 to 9999, and more than 511 KiB of text in one record.
//
// # Accounting
//
// At every moment [Client.Stats] satisfies
//
//	Recorded = Stored + Duplicate + Unconfirmed + Rejected + Dropped + Queued
package storageclient
