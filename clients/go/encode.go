package storageclient

import (
	"strconv"
	"time"
)

// timeLayout is the form in which the sidecar stores times. All are UTC.
const timeLayout = "2006-01-02T15:04:05.000000000Z"

// The seconds of the years 1 and 9999, the first and the last of RFC 3339 that can be stored.
const (
	minUnix = -62135596800
	maxUnix = 253402300799
)

// encodedOverhead is what names, time, id and numbers of a record take on the wire, at most.
const encodedOverhead = 300

// encodeBatch renders records as newline-delimited JSON, in which one that the sidecar cannot read
// does not spoil the others.
func encodeBatch(k kind, batch []*record) []byte {
	size := 0
	for _, r := range batch {
		size += len(r.text) + encodedOverhead
	}
	body := make([]byte, 0, size)
	for _, r := range batch {
		body = append(appendRecord(body, k, r), '\n')
	}
	return body
}

// appendRecord appends a record as a JSON object. Empty texts are left out.
func appendRecord(dst []byte, k kind, r *record) []byte {
	dst = append(dst, `{"ts":"`...)
	dst = time.Unix(r.sec, int64(r.nsec)).UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, `","event_id":"`...)
	dst = r.id.appendTo(dst)
	dst = append(dst, '"')
	start := uint32(0)
	for i, name := range layouts[k].texts {
		text := r.text[start:r.ends[i]]
		start = r.ends[i]
		if len(text) == 0 {
			continue
		}
		dst = appendName(dst, name)
		dst = append(dst, '"')
		dst = appendEscaped(dst, text)
		dst = append(dst, '"')
	}
	for i, name := range layouts[k].numbers {
		dst = appendName(dst, name)
		dst = strconv.AppendFloat(dst, r.numbers[i], 'g', -1, 64)
	}
	return append(dst, '}')
}

func appendName(dst []byte, name string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return append(dst, `":`...)
}

// appendEscaped appends a text as the inside of a JSON string (RFC 8259, section 7). What JSON does
// not ask to be escaped goes byte for byte: malformed UTF-8 stays malformed, for the sidecar to
// refuse, where encoding/json would put U+FFFD in its place without a word.
func appendEscaped(dst, text []byte) []byte {
	start := 0
	for i, b := range text {
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, text[start:i]...)
		start = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
		}
	}
	return append(dst, text[start:]...)
}
