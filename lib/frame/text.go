package frame

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// The values of a trailer's status.
const (
	StatusOK     = "ok"
	StatusFailed = "failed"
)

// Trailer is the last frame of a stream.
type Trailer struct {
	Status  string `json:"status"`            // StatusOK: all of it was sent, and the producer says that it is good
	Exit    int    `json:"exit"`              // the exit status of the producer's command, 128+n if signal n killed it
	Signal  string `json:"signal,omitempty"`  // the signal's name, such as SIGKILL
	Reason  string `json:"reason,omitempty"`  // what failed where it was not the command, in words
	Stderr  string `json:"stderr,omitempty"`  // the last lines the command said on stderr
	Refused bool   `json:"refused,omitempty"` // the writer did not send what its producer wrote
	Bytes   uint64 `json:"bytes"`             // the data of the stream; set by Writer
	Frames  uint64 `json:"frames"`            // its data frames; set by Writer
}

// MakeHeader is the JSON of a header with nothing in it but what frames need.
func MakeHeader(sum Checksum) []byte {
	return fmt.Appendf(nil, `{"zframe":1,"checksum":"%v"}`, sum)
}

// MakePackedHeader is the JSON of the header of a stream whose data is
// compressed: of version 2, so that who knows no compression refuses it.
func MakePackedHeader(sum Checksum, pack string) []byte {
	if pack == "" {
		return MakeHeader(sum)
	}
	return fmt.Appendf(nil, `{"zframe":2,"checksum":"%v","compress":%q}`, sum, pack)
}

// ParseHeader checks a header: a strict JSON object that begins with
// "zframe":1 and may name the checksum of the data (none if it does not).
// Everything else in it is the application's.
func ParseHeader(b []byte) (Checksum, error) {
	sum, pack, err := parseHeader(b)
	if err == nil && pack != "" {
		return None, errPacked
	}
	return sum, err
}

// errPacked is the end of a stream that nobody here decompresses.
var errPacked = corrupt("its data is compressed, which is not accepted here")

// parseHeader is ParseHeader, also for streams whose data is compressed. Those
// say how.
func parseHeader(b []byte) (sum Checksum, pack string, err error) {
	members, err := headerMembers(b)
	if err != nil {
		return None, "", err
	}
	packed := string(members[0].Value) == "2"
	for _, m := range members {
		switch key := string(m.Key); {
		case key == "checksum":
			name, err := m.Text()
			if err != nil {
				return None, "", corrupt("the header's checksum is not a string")
			}
			if sum, err = ParseChecksum(name); err != nil {
				return None, "", corrupt("%v", err)
			}
		case key == "compress" && packed: // in version 1 it is the application's
			if pack, err = m.Text(); err != nil {
				return None, "", corrupt("the header's compress is not a string")
			}
		}
	}
	switch {
	case packed && pack == "":
		return None, "", corrupt("format version 2, and the header does not say how the data is compressed")
	case packed && pack != "zstd":
		return None, "", corrupt("the data is compressed in the unknown way %.20q (zstd is known)", pack)
	}
	return sum, pack, nil
}

// headerMembers reads a header, and checks its version.
func headerMembers(b []byte) ([]Member, error) {
	var room [8]Member
	members, err := Members(b, room[:0])
	if err != nil {
		return nil, corrupt("the header is not usable: %v", err)
	}
	if len(members) == 0 || string(members[0].Key) != "zframe" {
		return nil, corrupt(`the header does not begin with "zframe"`)
	}
	if v := string(members[0].Value); v != "1" && v != "2" {
		return nil, corrupt("format version %.20q is not known (1 and 2 are)", v)
	}
	return members, nil
}

// parseTrailer reads a trailer, leaving out what it does not know.
func parseTrailer(b []byte) (Trailer, error) {
	var t Trailer
	var room [8]Member
	members, err := Members(b, room[:0])
	if err != nil {
		return t, corrupt("the trailer is not usable: %v", err)
	}
	for _, m := range members {
		var err error
		switch string(m.Key) {
		case "status":
			t.Status, err = m.Text()
		case "signal":
			t.Signal, err = m.Text()
		case "reason":
			t.Reason, err = m.Text()
		case "stderr":
			t.Stderr, err = m.Text()
		case "refused":
			t.Refused = string(m.Value) == "true"
		case "bytes":
			t.Bytes, err = m.Number()
		case "frames":
			t.Frames, err = m.Number()
		case "exit":
			if n, notPlain := m.Number(); notPlain == nil && n < 1<<31 {
				t.Exit = int(n)
			} else {
				err = json.Unmarshal(m.Value, &t.Exit)
			}
		}
		if err != nil {
			return t, corrupt("the trailer's %q is not usable", m.Key)
		}
	}
	if t.Status != StatusOK && t.Status != StatusFailed {
		return t, corrupt("the trailer's status is %.20q (ok and failed are known)", t.Status)
	}
	return t, nil
}

// encode is the trailer's JSON. What makes it too long is cut from the
// beginning of stderr.
func (t Trailer) encode() ([]byte, error) {
	if t == (Trailer{Status: StatusOK, Bytes: t.Bytes, Frames: t.Frames}) { // nearly always
		return fmt.Appendf(nil, `{"status":"ok","exit":0,"bytes":%d,"frames":%d}`, t.Bytes, t.Frames), nil
	}
	for {
		b, err := json.Marshal(t)
		if err != nil || len(b) <= MaxTrailer {
			return b, err
		}
		if t.Stderr == "" {
			return nil, fmt.Errorf("a trailer of %d bytes is too long (%d are allowed)", len(b), MaxTrailer)
		}
		drop := min(len(t.Stderr), max(256, len(t.Stderr)/4))
		for drop < len(t.Stderr) && !utf8.RuneStart(t.Stderr[drop]) {
			drop++
		}
		t.Stderr = t.Stderr[drop:]
	}
}

// maxDepth is how deep the JSON of a message may be nested.
const maxDepth = 32

// StrictObject reads one JSON object and nothing behind it. Unlike
// encoding/json it accepts no key twice, at any depth, and no invalid UTF-8.
// It returns the values by key, and the first key.
func StrictObject(b []byte) (fields map[string]json.RawMessage, first string, err error) {
	if err := Strict(b); err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(b, &fields); err != nil || fields == nil {
		return nil, "", fmt.Errorf("not a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.Token() // {
	if key, err := dec.Token(); err == nil {
		first, _ = key.(string)
	}
	return fields, first, nil
}

// Strict checks that b is one JSON value in valid UTF-8 with no key twice in
// an object, not nested deeper than 32, with nothing behind it.
func Strict(b []byte) error {
	if !utf8.Valid(b) {
		return fmt.Errorf("not valid UTF-8")
	}
	if !json.Valid(b) { // one value only, which the walk below relies on
		return fmt.Errorf("not one JSON value")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return strictValue(dec, 0)
}

// strictValue walks over one value of valid JSON.
func strictValue(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for dec.More() {
		if delim == '{' {
			tok, err := dec.Token()
			if err != nil {
				return err
			}
			key, _ := tok.(string)
			if seen[key] {
				return fmt.Errorf("the key %.40q is there twice", key)
			}
			seen[key] = true
		}
		if err := strictValue(dec, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
