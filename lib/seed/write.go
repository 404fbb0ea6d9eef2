package seed

import (
	"encoding/json"
	"io"

	"github.com/zrepl-tools/zrepl-tools/lib/frame"
)

// Writer writes a file. After an error nothing that is written is of use.
type Writer struct {
	w    io.Writer
	head Head
	at   int
}

// NewWriter begins a file: it writes the list, each dataset a value that becomes
// one line of JSON.
func NewWriter(w io.Writer, head Head, datasets []any) (*Writer, error) {
	head.Version, head.Datasets = Version, len(datasets)
	return &Writer{w: w, head: head}, write(w, append([]any{head}, datasets...)...)
}

// Entry announces the stream that the caller then writes itself.
func (w *Writer) Entry(e Entry) error {
	w.at++
	e.ID, e.Stream = w.head.ID, w.at
	return write(w.w, e)
}

// End ends the file. Without it, it is not whole.
func (w *Writer) End() error {
	return write(w.w, End{ID: w.head.ID, End: true, Streams: w.at})
}

// write writes a framed stream of lines of JSON.
func write(to io.Writer, lines ...any) error {
	w := frame.NewWriter(to, frame.CRC32C)
	if err := w.Header(frame.MakeHeader(frame.CRC32C)); err != nil {
		return err
	}
	for _, line := range lines {
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if err := w.Data(append(text, '\n')); err != nil {
			return err
		}
	}
	return w.Trailer(frame.Trailer{Status: frame.StatusOK})
}

// Failed writes, in the place of a stream, why there is none.
func (w *Writer) Failed(reason string) error {
	s := frame.NewWriter(w.w, frame.CRC32C)
	if err := s.Header(frame.MakeHeader(frame.CRC32C)); err != nil {
		return err
	}
	return s.Trailer(frame.Trailer{Status: frame.StatusFailed, Exit: 1, Reason: reason})
}
