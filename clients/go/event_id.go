package storageclient

import (
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// eventID is a UUIDv7 (RFC 9562): it grows with time, which keeps the database's index compact.
type eventID [16]byte

// newEventID makes an id of the moment: its milliseconds, their fraction in 4,096 parts (section
// 6.2, method 3), and 62 random bits. An id must be unique and need not be secret, so that the
// runtime's own generator (ChaCha8, seeded by the system) does, at a tenth of crypto/rand's cost.
func newEventID(now time.Time) eventID {
	const version, variant = 0x7000, 1 << 63
	var id eventID
	nanos := uint64(now.Nanosecond())
	millis := uint64(now.Unix())*1000 + nanos/1e6
	fraction := nanos % 1e6 * 4096 / 1e6
	binary.BigEndian.PutUint64(id[:8], millis<<16|version|fraction)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|variant)
	return id
}

const hexDigits = "0123456789abcdef"

// appendTo appends the usual form of 36 characters.
func (id eventID) appendTo(dst []byte) []byte {
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst
}

func (id eventID) String() string { return string(id.appendTo(make([]byte, 0, 36))) }
