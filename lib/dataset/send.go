package dataset

import (
	"fmt"
	"strings"
)

// SendOptions are the options of zfs send that change what a stream holds.
type SendOptions struct {
	Raw         bool `json:"raw,omitempty"`          // -w
	LargeBlocks bool `json:"large_blocks,omitempty"` // -L
	Embedded    bool `json:"embedded,omitempty"`     // -e
	Compressed  bool `json:"compressed,omitempty"`   // -c
}

// String writes the options as their letters, in the order wLec; without any
// it is "-".
func (o SendOptions) String() string {
	if flags := o.Flags(); flags != nil {
		return strings.ReplaceAll(strings.Join(flags, ""), "-", "")
	}
	return "-"
}

// Flags are the arguments of zfs send.
func (o SendOptions) Flags() (flags []string) {
	for _, f := range []struct {
		on   bool
		flag string
	}{{o.Raw, "-w"}, {o.LargeBlocks, "-L"}, {o.Embedded, "-e"}, {o.Compressed, "-c"}} {
		if f.on {
			flags = append(flags, f.flag)
		}
	}
	return flags
}

// ParseSendOptions reads what String writes, letters in any order.
func ParseSendOptions(s string) (SendOptions, error) {
	var o SendOptions
	if s == "-" {
		return o, nil
	}
	if s == "" {
		return o, fmt.Errorf("no send options: none is written as -")
	}
	for _, c := range s {
		switch c {
		case 'w':
			o.Raw = true
		case 'L':
			o.LargeBlocks = true
		case 'e':
			o.Embedded = true
		case 'c':
			o.Compressed = true
		default:
			return SendOptions{}, fmt.Errorf("send option %q in %q: known are w, L, e, c", c, s)
		}
	}
	return o, nil
}

// Follows reports whether a stream with options o may follow on a chain that
// was received with old. Raw and not raw do not mix, and neither do streams
// with large blocks and without, for a receiver that has split blocks would
// have to join them again. A raw stream has large blocks anyway. Embedded and
// compressed blocks only change the form on the way.
func (o SendOptions) Follows(old SendOptions) bool {
	if o.Raw != old.Raw {
		return false
	}
	return o.Raw || o.LargeBlocks == old.LargeBlocks
}
