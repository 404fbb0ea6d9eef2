package job

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/zrepl-tools/zrepl-tools/lib/peek"
)

// RestoreFile copies one file, or a folder with all that it holds, from a snapshot to
// a new name of this host. It overwrites nothing.
type RestoreFile struct {
	Files
	Target string
	peek.Copier
}

// FileRestored is what was copied, or would be.
type FileRestored struct {
	Kind     peek.Kind
	Snapshot string
	Target   string
	Size     int64 // of a file
}

// Do copies; dry: it only looks. Begun is called before the first byte.
func (r *RestoreFile) Do(ctx context.Context, dry bool, begun func(FileRestored)) (done FileRestored, err error) {
	if err := r.Open(ctx); err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s, opened, info, err := r.newest(ctx)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	if info.Kind == peek.Folder && !r.Recursive {
		return done, advised("add -r to restore it with all that it holds", "%q is a folder", r.inside)
	}
	if info.Kind == peek.Special {
		return done, fmt.Errorf("%q is neither a file nor a folder nor a symbolic link", r.inside)
	}
	name := filepath.Base(r.inside)
	if r.inside == "." {
		name = filepath.Base(r.fs.source)
	}
	dir, base, err := peek.Target(r.Target, name)
	if errors.Is(err, peek.ErrThere) {
		return done, advised("name another target", "%w", err)
	}
	if err != nil {
		return done, err
	}
	done = FileRestored{info.Kind, r.fs.name + "@" + s.name, filepath.Join(dir, base), info.Size}
	if dry {
		return done, nil
	}
	begun(done)
	return done, r.Copy(ctx, opened, r.inside, dir, base)
}
