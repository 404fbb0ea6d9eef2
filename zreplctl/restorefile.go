package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/peek"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

// parseFile reads the arguments of restore -file: a job, perhaps a dataset, a
// snapshot or both, and the target.
func parseFile(r *job.RestoreFile, args []string) error {
	if r.Path == "" || len(args) != 2 && len(args) != 3 || args[len(args)-1] == "" {
		return cli.Usagef("restore -file requires a job, a target, and between them at most a dataset or a snapshot")
	}
	r.Target = args[len(args)-1]
	if len(args) == 2 {
		return nil
	}
	ds, kind, short := dataset.Split(args[1])
	r.Dataset, r.Snapshot = ds, short
	bad := kind != 0 && (kind != dataset.Snapshot || dataset.CheckShort(short) != nil)
	if bad || ds == "" && kind == 0 || ds != "" && dataset.CheckName(ds) != nil {
		return cli.Usagef("%q is not a dataset or a snapshot", args[1])
	}
	return nil
}

// maxNotes is how many notes are printed: a tree can make as many as it has files.
const maxNotes = 20

// maxMissing is how many are named that could not be copied.
const maxMissing = 1000

func (g *globals) restoreFile(ctx context.Context, name string, r *job.RestoreFile, dry, show bool) error {
	if err := g.prepareFiles(name, &r.Files); err != nil {
		return err
	}
	notes, missing := 0, 0
	r.Missing = func(text string) {
		if missing++; missing <= maxMissing {
			r.Run.Say(text)
		}
	}
	r.Note = func(text string) {
		if notes++; notes <= maxNotes {
			r.Run.Say(text)
		}
	}
	done, err := r.Do(ctx, dry, func(what job.FileRestored) {
		if show || g.stderr.Terminal() {
			r.Wrote = g.watchFile(what)
		}
	})
	if notes > maxNotes {
		r.Run.Say(fmt.Sprintf("and %d more notes of this kind", notes-maxNotes))
	}
	if missing > maxMissing {
		r.Run.Say(fmt.Sprintf("and %d more that could not be copied", missing-maxMissing))
	}
	part := (*peek.PartError)(nil)
	if err != nil && !errors.As(err, &part) {
		return fileError("restore", r.Path, err)
	}
	size := "-"
	if done.Kind == "file" {
		size = fmt.Sprint(done.Size)
	}
	if printed := g.stdout.Record(string(done.Kind), done.Snapshot, done.Target, size); printed != nil {
		return cli.Quiet(printed)
	}
	return fileError("restore", r.Path, err)
}

// watchFile says every 5 seconds how far a copy is.
func (g *globals) watchFile(what job.FileRestored) func(n int) {
	wrote, next := int64(0), time.Now().Add(5*time.Second)
	return func(n int) {
		if wrote += int64(n); time.Now().Before(next) {
			return
		}
		next = time.Now().Add(5 * time.Second)
		of := ""
		if what.Size > 0 {
			of = fmt.Sprintf(" of %d", (what.Size+1<<20-1)>>20)
		}
		g.say("%s: %d%s MiB", strings.TrimSpace(what.Target), wrote>>20, of)
	}
}
