package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/peek"
	"github.com/zrepl-tools/zrepl-tools/lib/plural"
)

// FileVersion is what consecutive snapshots have of one file.
type FileVersion struct {
	Snapshot string     `json:"snapshot"` // the oldest of them
	Taken    time.Time  `json:"taken"`
	Newest   string     `json:"newest"` // of them
	State    FileState  `json:"state"`
	Kind     peek.Kind  `json:"kind,omitempty"` // and all below: not of one that is gone
	Size     *int64     `json:"size,omitempty"` // of a file
	Modified *time.Time `json:"modified,omitempty"`
	To       string     `json:"to,omitempty"` // of a symbolic link
}

// FileState is how a version differs from what the snapshot before has.
type FileState string

const (
	FileFirst   FileState = "first"   // that has none, or there is no snapshot before
	FileChanged FileState = "changed" // that has another
	FileGone    FileState = "gone"    // that has one, and these have none
)

// maxFirstFailed is how many of the newest snapshots may be unreadable until all are
// taken to be.
const maxFirstFailed = 10

// finding is where a search is: the newest snapshots of a version that is not
// complete, and the oldest of them, which is open.
type finding struct {
	f      *Files
	each   func(FileVersion) error
	newest shot
	oldest shot
	info   *peek.Info
	opened *peek.Snapshot // nil: none was looked into
	found  bool           // in any
	way    error          // a symbolic link that was on it
	failed []error        // each of a snapshot that cannot be looked into
}

// Versions calls each for the versions of the file, newest first. Two snapshots are
// open at once. One that cannot be looked into does not keep from the others, and
// is an error at the end.
func (f *Files) Versions(ctx context.Context, each func(FileVersion) error) (err error) {
	s := &finding{f: f, each: each}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, next := range f.shots {
		if err := s.step(ctx, next); err != nil {
			return err
		}
	}
	if err := f.unchanged(ctx); err != nil {
		return err
	}
	if s.opened != nil && s.info != nil {
		if err := s.tell(FileFirst); err != nil {
			return err
		}
	}
	switch n := len(s.failed); {
	case n > 0:
		return fmt.Errorf("%d of %s cannot be looked into, such as: %w", n, plural.Of(len(f.shots), "snapshot"), s.failed[0])
	case !s.found:
		return f.nowhere(s.way)
	}
	return nil
}

func (s *finding) close() error {
	if s.opened == nil {
		return nil
	}
	return s.opened.Close()
}

// step looks into the snapshot before the last.
func (s *finding) step(ctx context.Context, next shot) error {
	opened, err := s.f.look(ctx, next)
	switch {
	case errors.Is(err, errGone):
		return nil
	case err != nil && (ctx.Err() != nil || errors.Is(err, errMoved) || s.opened == nil && len(s.failed) >= maxFirstFailed):
		return err // as it will be of all others
	case err != nil:
		s.failed = append(s.failed, err)
		return nil
	}
	info, err := opened.Look(s.f.inside)
	if link := (*peek.LinkError)(nil); errors.As(err, &link) {
		s.way, err = err, nil
	}
	same := false
	if err == nil && s.opened != nil {
		same, err = peek.Same(ctx, s.opened, opened, s.f.inside, s.info, info, s.f.comparing(next))
	}
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), opened.Close())
	}
	if err != nil {
		s.failed = append(s.failed, fmt.Errorf("%q: %w", s.f.fs.name+"@"+next.name, err))
		return opened.Close()
	}
	if !same {
		if err := s.ended(info); err != nil {
			return errors.Join(err, opened.Close())
		}
		s.newest = next
	}
	err = s.close()
	s.oldest, s.info, s.opened, s.found = next, info, opened, s.found || info != nil
	return err
}

// comparing says every 5 seconds how far a comparison of contents is.
func (f *Files) comparing(s shot) func(at int64) {
	next := time.Now().Add(5 * time.Second)
	return func(at int64) {
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(5 * time.Second)
		f.Run.tell(fmt.Sprintf("compares the contents in %s with those in the next one: %d MiB", f.fs.name+"@"+s.name, at>>20))
	}
}

// ended tells of a version before which there was another, or none.
func (s *finding) ended(before *peek.Info) error {
	switch {
	case s.opened == nil:
		return nil
	case s.info == nil:
		return s.tell(FileGone)
	case before == nil:
		return s.tell(FileFirst)
	}
	return s.tell(FileChanged)
}

func (s *finding) tell(state FileState) error {
	name := s.f.fs.name + "@"
	v := FileVersion{Snapshot: name + s.oldest.name, Taken: s.oldest.taken, Newest: name + s.newest.name, State: state}
	if s.info != nil {
		modified := s.info.Changed.UTC()
		v.Kind, v.To, v.Modified = s.info.Kind, s.info.To, &modified
		if s.info.Kind == peek.File {
			v.Size = &s.info.Size
		}
	}
	return s.each(v)
}
