package storageclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// pageItems is the most that the sidecar gives at a time.
const pageItems = 1_000

// StatusError is an answer that is not a list.
type StatusError struct {
	// Status is the HTTP status: 503 while storage is down.
	Status int
	// Detail is the sidecar's explanation, if it gave one.
	Detail string
}

func (e *StatusError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("storageclient: the sidecar answered %d", e.Status)
	}
	return fmt.Sprintf("storageclient: the sidecar answered %d: %s", e.Status, e.Detail)
}

// ListAuditEvents returns the events that match, newest first. It asks the sidecar, page by page,
// until Limit is reached or there are no more, and does not see what is still in the ring. Without a
// Limit that may be all events there are, in memory at once.
//
// An event that another program stored with a time that is not RFC 3339 has a zero Time.
//
// It ends with its context, and where the sidecar has not answered for a page in 35 s, with an error that
// wraps context.DeadlineExceeded. The error is a *StatusError where the sidecar answered otherwise. A no-op
// client has no events.
func (c *Client) ListAuditEvents(ctx context.Context, f AuditFilter) ([]AuditEvent, error) {
	if c.ring == nil {
		return nil, nil
	}
	query := url.Values{}
	if f.Actor != "" {
		query.Set("actor", f.Actor)
	}
	if f.SandboxID != "" {
		query.Set("sandbox_id", f.SandboxID)
	}
	if !f.Since.IsZero() {
		if unix := f.Since.Unix(); unix < minUnix || unix > maxUnix {
			return nil, fmt.Errorf("storageclient: Since must be between the years 1 and 9999")
		}
		query.Set("since", f.Since.UTC().Format(timeLayout))
	}
	var events []AuditEvent
	for {
		items := pageItems
		if f.Limit > 0 {
			items = min(items, f.Limit-len(events))
		}
		query.Set("limit", strconv.Itoa(items))
		page, err := c.auditPage(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			events = append(events, item.event())
		}
		// A page may be short, or empty, and yet have a successor.
		if page.NextCursor == nil || f.Limit > 0 && len(events) >= f.Limit {
			return events, nil
		}
		query.Set("cursor", *page.NextCursor)
	}
}

type auditPage struct {
	Items      []auditItem `json:"items"`
	NextCursor *string     `json:"next_cursor"`
}

type auditItem struct {
	TS        string `json:"ts"`
	Actor     string `json:"actor"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	SandboxID string `json:"sandbox_id"`
	Details   string `json:"details"`
}

func (i auditItem) event() AuditEvent {
	when, err := time.Parse(time.RFC3339Nano, i.TS)
	if err != nil {
		when = time.Time{}
	}
	return AuditEvent{when, i.Actor, i.Action, i.Resource, i.SandboxID, i.Details}
}

func (c *Client) auditPage(ctx context.Context, query url.Values) (auditPage, error) {
	ctx, cancel := bounded(ctx, c.pacing.listTimeout)
	defer cancel()
	status, body, err := c.api.get(ctx, layouts[auditEvent].path, query)
	if err != nil {
		return auditPage{}, fmt.Errorf("storageclient: cannot list audit events: %w", err)
	}
	if status != http.StatusOK {
		var problem document
		// Without a detail the status has to do.
		_ = json.Unmarshal(body, &problem)
		return auditPage{}, &StatusError{Status: status, Detail: truncate(problem.Detail)}
	}
	var page auditPage
	if err := json.Unmarshal(body, &page); err != nil {
		return auditPage{}, fmt.Errorf("storageclient: the sidecar's list cannot be read: %w", err)
	}
	if page.Items == nil {
		return auditPage{}, errors.New("storageclient: the answer is no list of a storage sidecar's: check its URL")
	}
	return page, nil
}
