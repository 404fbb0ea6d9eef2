package job

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/lib/seed"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// write writes the whole file.
func (e *Export) write(ctx context.Context) error {
	lines, parts, err := e.lines(ctx)
	if err != nil {
		return err
	}
	head := seed.Head{ID: runID(), Role: string(e.Run.Job.Type), Job: e.Run.Job.Name, Client: e.Client, Made: time.Now().UTC().Truncate(time.Second)}
	w, err := seed.NewWriter(e.Out, head, lines)
	if err != nil {
		return unwritten(err)
	}
	for _, p := range parts {
		e.shown(p, progress.Waiting, 0)
	}
	for _, p := range parts {
		if err := e.stream(ctx, w, p); err != nil {
			return err
		}
	}
	if err := w.End(); err != nil {
		return unwritten(err)
	}
	// What cannot be written may turn up only now. A pipe knows nothing of that.
	if err := e.Out.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return unwritten(err)
	}
	return nil
}

func unwritten(err error) error { return fmt.Errorf("cannot write the file: %w", err) }

// lines are those of the list, and the parts that they are of.
func (e *Export) lines(ctx context.Context) (lines []any, parts []*ExportPart, err error) {
	var names []string
	for _, p := range e.parts {
		if p.sends() {
			names, parts = append(names, p.Source), append(parts, p)
		}
	}
	uses, err := e.sender.Uses(ctx, transfer.UsesRequest{Datasets: names, Features: endpoint.Features()})
	if err != nil {
		return nil, nil, err
	}
	for _, p := range parts {
		d := p.data
		d.Versions, d.Held, d.Marks, d.Kept = []dataset.Version{p.To}, nil, nil, nil
		d.Mark, d.Keep, d.Common = 0, false, ""
		lines = append(lines, endpoint.SeedDataset{Dataset: d, Size: p.Size, Uses: uses[p.Source]})
	}
	return lines, parts, nil
}

// stream writes one stream. The error is of the whole file; that of the dataset
// stands in the file, too.
func (e *Export) stream(ctx context.Context, w *seed.Writer, p *ExportPart) error {
	if err := w.Entry(seed.Entry{Dataset: p.Source, Snapshot: p.To.Name, GUID: p.To.GUID}); err != nil {
		return unwritten(err)
	}
	made, err := e.sender.Send(ctx, p.request())
	if err != nil {
		p.Err = err
		e.shown(p, progress.Failed, 0)
		if err := w.Failed(err.Error()); err != nil {
			return unwritten(err)
		}
		return ctx.Err()
	}
	var moved uint64
	whole, err := e.sender.Export(ctx, made, e.Out, func(bytes uint64) {
		moved = bytes
		e.shown(p, progress.Sending, bytes)
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !whole:
		return fmt.Errorf("cannot write the stream of %q: %w", p.Source, err)
	case err != nil:
		p.Err = err
		e.shown(p, progress.Failed, moved)
	default:
		e.shown(p, progress.Done, moved)
	}
	return nil
}

// shown tells who watches how far a stream is.
func (e *Export) shown(p *ExportPart, state progress.State, bytes uint64) {
	if e.Run.Tracker == nil {
		return
	}
	e.Run.Tracker.Update(p.Source, func(d *progress.Dataset) {
		d.State, d.Size, d.Bytes, d.Steps = state, p.Size, bytes, 1
		if p.Err != nil {
			d.Error = p.Err.Error()
		}
		if state == progress.Done {
			d.Done, d.Moved, d.To = 1, 1, p.To.Name
		}
	})
}
