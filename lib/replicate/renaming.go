package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// maxRenaming is how often in a row a round renames copies: one that is moved out
// of another lets that be renamed the next time.
const maxRenaming = 10

// surveyRenamed is survey, once copies have the names that they should have, and
// those are set aside that cannot go on.
func (r *round) surveyRenamed(ctx context.Context) error {
	for n := 0; ; n++ {
		if err := r.survey(ctx); err != nil {
			return err
		}
		again, err := r.rename(ctx, n == maxRenaming)
		if err == nil && !again {
			again, err = r.setAside(ctx)
			r.thorough = r.thorough || again // the sender holds the base of what was set aside
		}
		if err != nil || !again {
			return err
		}
		r.fresh = true
	}
}

// rename has the receiver rename copies, and reports whether both ends are to be
// looked at again. What it cannot rename is a failure, and nothing is sent.
func (r *round) rename(ctx context.Context, last bool) (again bool, err error) {
	why, done := r.barred(), map[string]string{}
	defer func() { r.noteRenamed(done) }()
	for _, m := range slices.Backward(r.renaming) { // what moves out of another before that
		if m.with != "" || m.bar != nil {
			continue
		}
		if err := r.unrenamed[m.from]; err != nil {
			why[m.from] = err
			continue
		}
		if last || r.comes(dataset.Parent(m.result.Target)) {
			why[m.from] = errLater
			continue
		}
		err := r.renameOne(ctx, m)
		if errors.As(err, new(*transfer.LinkError)) || ctx.Err() != nil {
			return false, err
		}
		again = true
		if err != nil {
			r.unrenamed[m.from] = err
		} else {
			done[m.from] = m.result.Target
		}
	}
	if !again {
		r.refuseRenames(why)
	}
	return again, nil
}

// barred says of copies why they surely keep their names.
func (r *round) barred() map[string]error {
	why := map[string]error{}
	for _, m := range r.renaming {
		if m.bar != nil {
			why[m.from] = m.bar
		}
	}
	return why
}

var errLater = errors.New("the dataset above its new name comes first")

// comes reports whether a target is not there and is to be received.
func (r *round) comes(target string) bool {
	_, there := r.view.targets[target]
	return !there && slices.ContainsFunc(r.results, func(p plan.Result) bool { return p.Target == target && p.Source != "" })
}

func (r *round) renameOne(ctx context.Context, m rename) error {
	if err := r.makeAbove(ctx, m.result.Target); err != nil {
		return err
	}
	if err := r.Receiver.Rename(ctx, transfer.Rename{From: snap(m.from, m.base), To: m.result.Target}); err != nil {
		return err
	}
	r.say(fmt.Sprintf("renamed the copy %q to %q: its source is %q now", m.from, m.result.Target, m.result.Source))
	return nil
}

// makeAbove makes the placeholders that a copy is to stand under.
func (r *round) makeAbove(ctx context.Context, target string) error {
	parent := dataset.Parent(target)
	if _, there := r.view.targets[parent]; there || parent == "" {
		return nil
	}
	if err := r.makeAbove(ctx, parent); err != nil {
		return err
	}
	in := transfer.Placeholder{Dataset: parent}
	for _, p := range r.results {
		if p.Target == parent && len(p.Steps) > 0 {
			in.Plain = p.Steps[0].EncryptionOff
		}
	}
	return r.Receiver.Placeholder(ctx, in)
}

// noteRenamed writes down the new names of copies, given by the old ones, and of
// all that went with them. What it cannot write before it is killed, the next run
// tells by the bases that were noted.
func (r *round) noteRenamed(done map[string]string) {
	if len(done) == 0 {
		return
	}
	sources := map[string]string{}
	for _, m := range r.renaming {
		if _, itself := done[m.from]; itself || done[m.with] != "" {
			sources[m.from] = m.result.Source
		}
	}
	fresh, now, stale := map[string]string{}, map[string]string{}, []string(nil)
	for name := range r.view.targets {
		to := under(name, done)
		if to == "" {
			continue
		}
		now[name] = to
		was, listed := r.Covered[name]
		if source, follows := sources[name]; follows {
			was, listed = source, true
		}
		if listed { // it has its own turn yet, if its source is not offered
			fresh[to] = was
			stale = append(stale, name)
		}
	}
	r.addCovered(fresh, stale)
	if r.Renamed != nil {
		r.Renamed(now)
	}
}

// under is the new name of a dataset, if one of done is it or stands above it.
func under(name string, done map[string]string) string {
	for up := name; up != ""; up = dataset.Parent(up) {
		if to := done[up]; to != "" {
			return to + strings.TrimPrefix(name, up)
		}
	}
	return ""
}

// refuseRenames makes failures of the results whose copies keep their names, and
// of what was to come below them. A copy whose turn comes later is looked at
// again.
func (r *round) refuseRenames(why map[string]error) {
	for _, m := range r.renaming {
		if m.with == "" && why[m.from] != nil {
			r.results = plan.Block(r.results, m.result.Target, plan.Renamed)
		}
	}
	at := r.bySource()
	for _, m := range r.renaming {
		err, i := why[cmp.Or(m.with, m.from)], at[m.result.Source]
		if err == nil {
			continue
		}
		r.results[i].NotRenamed(m.from, err)
		if errors.Is(err, errLater) {
			r.again[i] = fmt.Errorf("cannot rename its copy %q: %w", m.from, err)
		}
	}
}
