package storageclient

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzEncode(f *testing.F) {
	f.Add("", "", 0.0, int64(0), int64(0))
	f.Add("a\"b\\c\n\r\t\x00\x1f\x7f", "日本 🌙 \u2028", -0.0, int64(1_795_427_000), int64(610_360_000))
	f.Add("\xff\xfe", "\xed\xa0\x80", 1e300, int64(minUnix), int64(1))
	f.Add("</script>&", "\ufeff", 5e-324, int64(maxUnix), int64(999_999_999))
	f.Fuzz(func(t *testing.T, one, two string, number float64, sec, nsec int64) {
		if sec < minUnix || sec > maxUnix || nsec < 0 || nsec > 999_999_999 || math.IsNaN(number) || math.IsInf(number, 0) {
			return // Refused before it is encoded.
		}
		r := &record{
			text:    []byte(one + two),
			ends:    [maxTexts]uint32{uint32(len(one)), uint32(len(one) + len(two))},
			numbers: [maxNumbers]float64{number, -number, 0},
			sec:     sec, nsec: int32(nsec),
			id: newEventID(time.Unix(sec, nsec)),
		}
		got := appendRecord(nil, costSnapshot, r)
		if bytes.IndexByte(got, '\n') != -1 {
			t.Fatalf("%q has more than one line", got)
		}
		if !utf8.ValidString(one) || !utf8.ValidString(two) {
			if utf8.Valid(got) {
				t.Fatalf("malformed UTF-8 was mended: %q", got)
			}
			return
		}
		if len(got) > encodedOverhead+6*len(r.text) {
			t.Errorf("%d bytes for %d bytes of text", len(got), len(r.text))
		}
		type fields struct {
			TS           time.Time `json:"ts"`
			EventID      string    `json:"event_id"`
			SandboxID    string    `json:"sandbox_id"`
			Namespace    string    `json:"namespace"`
			CPUHours     float64   `json:"cpu_hours"`
			MemGBHours   float64   `json:"mem_gb_hours"`
			EstimatedUSD float64   `json:"estimated_usd"`
		}
		decoder := json.NewDecoder(bytes.NewReader(got))
		decoder.DisallowUnknownFields()
		var said fields
		if err := decoder.Decode(&said); err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		want := fields{time.Unix(sec, nsec).UTC(), r.id.String(), one, two, number, -number, 0}
		if said != want {
			t.Errorf("%q\nmeans %+v\n want %+v", got, said, want)
		}
	})
}

func TestTimesHaveOneForm(t *testing.T) {
	for _, when := range []time.Time{
		time.Unix(minUnix, 1), time.Unix(maxUnix, 999_999_999), time.Unix(-1, 0), time.Unix(0, 500_000_000),
	} {
		r := &record{sec: when.Unix(), nsec: int32(when.Nanosecond())}
		var said struct{ TS string }
		if err := json.Unmarshal(appendRecord(nil, auditEvent, r), &said); err != nil {
			t.Fatal(err)
		}
		back, err := time.Parse(time.RFC3339Nano, said.TS)
		if err != nil || !back.Equal(when) || len(said.TS) != 30 || !strings.HasSuffix(said.TS, "Z") {
			t.Errorf("%v is written as %s", when, said.TS)
		}
	}
}

func TestEventIDsGrowWithTime(t *testing.T) {
	now := time.Now()
	seen := map[eventID]bool{}
	before := ""
	for i := range 1000 {
		id := newEventID(now.Add(time.Duration(i) * time.Microsecond))
		if seen[id] || id.String() < before[:min(len(before), 18)] {
			t.Fatalf("%s follows %s", id, before)
		}
		seen[id] = true
		before = id.String()
	}
	id := newEventID(time.UnixMilli(0x0123456789ab))
	if !strings.HasPrefix(id.String(), "01234567-89ab-7000-") {
		t.Errorf("the id is %s", id)
	}
}
