package storageclient

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// receipt is what an answer says of a batch's records.
type receipt struct {
	status int
	// isForeign where the answer is not one that a sidecar gives.
	isForeign     bool
	stored        uint64
	duplicates    uint64
	rejectedCount uint64
	// rejected are the first of them, in order.
	rejected []rejection
}

type rejection struct {
	Index   int    `json:"index"`
	Problem string `json:"problem"`
}

// about is the receipt as one of n records: what counts more is no sidecar's, and says nothing.
func (r receipt) about(n int) receipt {
	most := uint64(n)
	isSane := r.stored <= most && r.duplicates <= most && r.rejectedCount <= most &&
		r.stored+r.duplicates+r.rejectedCount <= most && uint64(len(r.rejected)) <= r.rejectedCount
	for _, rejection := range r.rejected {
		isSane = isSane && rejection.Index >= 0 && rejection.Index < n
	}
	if !isSane {
		return receipt{status: r.status, isForeign: true}
	}
	return r
}

// outcome tells what became of record i of n, as far as the answer says it.
func (r receipt) outcome(i, n int) Outcome {
	for _, rejection := range r.rejected {
		if rejection.Index == i {
			return Rejected
		}
	}
	named := len(r.rejected)
	switch {
	case r.rejectedCount == uint64(n):
		return Rejected
	case r.rejectedCount > uint64(named) && (named == 0 || i > r.rejected[named-1].Index):
		return Unconfirmed
	case r.stored+r.duplicates+r.rejectedCount == uint64(n):
		return Durable
	default:
		return Unconfirmed
	}
}

// verdict is what a failed attempt says about trying again.
type verdict uint8

const (
	// unready: the same again later. The sidecar is away, or is not what it should be.
	unready verdict = iota
	// strained: again later, with less.
	strained
	// spoilt: at once, in halves; a record that is refused alone is rejected.
	spoilt
)

// failure is an attempt that left its records where they were.
type failure struct {
	verdict    verdict
	retryAfter time.Duration
	reason     string
}

func (f *failure) Error() string { return f.reason }

// document is the body of an answer to a POST, and of a problem (RFC 9457).
type document struct {
	RejectedCount *uint64     `json:"rejected_count"`
	Rejected      []rejection `json:"rejected"`
	Stored        uint64      `json:"stored"`
	Duplicates    uint64      `json:"duplicates"`
	Detail        string      `json:"detail"`
}

// problemType is how the sidecar says what is wrong (RFC 9457). A refusal in another type is someone
// else's, such as a proxy's or that of a program which has the port by mistake, and must cost no record.
const problemType = "application/problem+json"

// read interprets an answer about n records. The status decides; 201 and 202 take the records out of the ring
// whatever the body says, since sending them again would not be better understood.
func read(status int, header http.Header, body []byte, n int) (receipt, error) {
	var d document
	said := receipt{status: status, isForeign: true}
	if json.Unmarshal(body, &d) == nil && d.RejectedCount != nil {
		said = receipt{
			status: status, stored: d.Stored, duplicates: d.Duplicates,
			rejectedCount: *d.RejectedCount, rejected: d.Rejected,
		}.about(n)
	}
	mediaType, _, _ := mime.ParseMediaType(header.Get("Content-Type"))
	isProblem := mediaType == problemType
	switch {
	case status == http.StatusCreated:
		return said, nil
	case status == http.StatusAccepted:
		said.stored, said.duplicates = 0, 0
		return said, nil
	case status == http.StatusBadRequest && isProblem && said.rejectedCount == uint64(n):
		return said, nil
	}
	f := &failure{
		verdict:    judge(status, isProblem),
		retryAfter: retryAfter(header.Get("Retry-After"), time.Now()),
		reason:     "the sidecar answered " + strconv.Itoa(status),
	}
	switch {
	case isProblem && d.Detail != "":
		f.reason += ": " + truncate(d.Detail)
	case !isProblem && f.verdict == unready:
		f.reason = fmt.Sprintf("the answer %d is not a storage sidecar's: check the sidecar's URL", status)
	}
	return receipt{}, f
}

func judge(status int, isProblem bool) verdict {
	switch {
	case status >= http.StatusInternalServerError:
		return strained
	case status == http.StatusRequestEntityTooLarge && !isProblem:
		// A proxy takes less than the sidecar: with less at a time the records may pass.
		return strained
	case isProblem && (status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge ||
		status == http.StatusUnprocessableEntity):
		return spoilt
	default:
		// 404, 421 and the like are about the address and not about the records, which wait until it
		// is mended.
		return unready
	}
}

// retryAfter reads the header's seconds or date (RFC 9110, section 10.2.3); 0 where there is none.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// truncate keeps what another program says from filling the log.
func truncate(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
