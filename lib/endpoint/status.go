package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// told is what a program said of its failure, or else how it ended.
func told(s child.Status) string {
	if said := child.Clean(s.Stderr, maxSaid); said != "" && s.Signal == 0 {
		return said
	}
	return s.String()
}

// unset is zfs.Unset of a program that ran zfs receive, and passed on what it
// said.
func unset(args []string, s child.Status) string {
	return child.Clean(zfs.Unset(args, s.Stderr), maxSaid)
}

// frameOutcome is the line that zrecv-frame writes to -status-fd.
type frameOutcome struct {
	Outcome string `json:"outcome"`
	Error   string `json:"error"`
	Bytes   uint64 `json:"bytes"`
	Stderr  string `json:"stderr"`
	Trailer *ending
	Command *ending
}

type ending struct {
	Exit   int    `json:"exit"`
	Signal string `json:"signal"`
	Reason string `json:"reason"`
	Stderr string `json:"stderr"`
	// Refused: zsend-frame did not send what its command wrote.
	Refused bool `json:"refused"`
}

// senderKind is the kind of failure of which a trailer tells.
func (e *ending) senderKind() fault.Kind {
	if e.Refused {
		return fault.Refused
	}
	return zfs.SendKind(e.Stderr)
}

// who is what failed on the sender where a reason is given.
func (e *ending) who() string {
	if strings.Contains(e.Reason, "zstd") {
		return "compressing"
	}
	return "zfs send"
}

func (e *ending) String() string {
	switch said := child.Clean(e.Stderr, maxSaid); {
	case e.Signal != "":
		return "killed by " + child.Clean(e.Signal, maxSaid)
	case said != "":
		return said
	case e.Reason != "":
		return child.Clean(e.Reason, maxSaid)
	}
	return fmt.Sprintf("exit status %d", e.Exit)
}

// judgeFrame tells how a framed stream was received: by the line on status,
// and where there is none, as when it was killed, by how zrecv-frame ended.
func judgeFrame(status io.Reader, s child.Status) (got transfer.Received, err error) {
	var o frameOutcome
	if err := json.NewDecoder(io.LimitReader(status, 1<<20)).Decode(&o); err != nil {
		if s.OK() {
			return got, errors.New("zrecv-frame: said nothing of how it ended")
		}
		return got, fmt.Errorf("zrecv-frame: %s", told(s))
	}
	got.Bytes = o.Bytes
	text := child.Clean(o.Error, maxSaid)
	switch o.Outcome {
	case "done":
		if !s.OK() {
			return got, fmt.Errorf("zrecv-frame: %s", told(s))
		}
		return got, nil
	case "cut", "corrupt", "stall":
		return got, &transfer.LinkError{Err: fmt.Errorf("cannot receive the stream: %s", text)}
	case "producer-failed":
		if o.Trailer != nil && o.Trailer.Reason != "" { // not the command: who ran it was stopped
			return got, &transfer.LinkError{Err: fmt.Errorf("%s on the sender: %s", o.Trailer.who(), o.Trailer)}
		}
		if o.Trailer != nil {
			err := fmt.Errorf("zfs send on the sender: %s", o.Trailer)
			return got, fault.With(o.Trailer.senderKind(), err)
		}
	case "command-failed":
		if o.Command != nil {
			return got, fault.With(zfs.ReceiveKind(o.Command.Stderr), fmt.Errorf("zfs receive: %s", o.Command))
		}
	case "refused":
		return got, fault.With(fault.Refused, fmt.Errorf("cannot receive the stream: %s", text))
	}
	return got, fmt.Errorf("cannot receive the stream: %s", text)
}
