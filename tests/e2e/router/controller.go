package main

import "context"

// snapshot records that a sandbox's state was saved, or could not be, as the controller does by its clock.
func (f *fleet) snapshot(ctx context.Context, id string, hasFailed bool) {
	s, ok := f.get(id)
	switch {
	case !ok:
	case hasFailed:
		f.enter(ctx, s, s.Phase, "SnapshotFailed", "Speicherplatz erschöpft: 0 B frei")
	default:
		f.enter(ctx, s, s.Phase, "Snapshotted", "snapshot of "+s.Name)
	}
}

// crash records that a sandbox's program failed and was started again.
func (f *fleet) crash(ctx context.Context, id, message string) {
	s, ok := f.get(id)
	if !ok {
		return
	}
	f.enter(ctx, s, "Error", "ApplicationError", message)
	f.enter(ctx, s, "Creating", "Restarting", "attempt 1 of 5")
	f.enter(ctx, s, "Running", "AutoRestarted", "restarted after a failure")
}
