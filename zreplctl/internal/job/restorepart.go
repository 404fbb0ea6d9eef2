package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// RestorePart is one dataset of a restore.
type RestorePart struct {
	Copy, Target string
	State        RestoreState
	Size         uint64 // about, of the stream that is missing; 0: not known
	Locked       bool   // the target is encrypted by a key of its own, which is not loaded
	Err          error  // why it is not restored, or not whole

	volume, carrier, raw, plain bool
	snapshots                   []dataset.Version // of the copy, oldest first
	snapshot                    dataset.Version   // the one to restore; zero: there is none of that name
	held                        []string          // those of the copy with this restore's hold
	keyAt                       string            // the encryption root whose key is needed and not loaded
	token                       string
}

// RestoreState is what there is to do.
type RestoreState string

const (
	RestoreFull    RestoreState = "full"        // a full stream
	RestoreResume  RestoreState = "resume"      // the rest of a full stream
	RestoreCarrier RestoreState = "placeholder" // an empty dataset for those below
	RestoreDone    RestoreState = "done"
	RestoreMissing RestoreState = "missing" // the copy has no such snapshot
)

// From is the snapshot that is restored; of an empty dataset the copy itself.
func (p *RestorePart) From() string {
	if p.snapshot.Name == "" {
		return p.Copy
	}
	return p.snapshot.Full(p.Copy)
}

// wanted reports whether a stream of it is needed.
func (p *RestorePart) wanted() bool { return p.State == RestoreFull || p.State == RestoreResume }

func (p *RestorePart) options() dataset.SendOptions {
	return dataset.SendOptions{LargeBlocks: true, Raw: p.raw}
}

func (p *RestorePart) request() transfer.SendRequest {
	return transfer.SendRequest{Dataset: p.Copy, To: p.snapshot, Token: p.token, Volume: p.volume, Send: p.options()}
}

// restoreMark is what RestoreProperty says of a dataset: which snapshot of which
// job's copy it was restored from; without one, it is empty and carries others.
type restoreMark struct {
	job, from string
	guid      dataset.GUID
}

func (m restoreMark) String() string { return fmt.Sprintf("%s %d %s", m.job, m.guid, m.from) }

func (r *Restore) mark(p *RestorePart) restoreMark {
	return restoreMark{r.Run.Job.Name, p.From(), p.snapshot.GUID}
}

// markOf reads a dataset's own mark.
func markOf(d zfs.Dataset) (m restoreMark, ok bool) {
	mark := d.Properties[endpoint.RestoreProperty]
	fields := strings.SplitN(mark.Value, " ", 3)
	if mark.Source != "local" || len(fields) != 3 {
		return m, false
	}
	guid, err := dataset.ParseGUID(fields[1])
	return restoreMark{fields[0], fields[2], guid}, err == nil || fields[1] == "0"
}

// of reports whether a mark is one for a part, whichever its snapshot.
func (m restoreMark) of(r *Restore, p *RestorePart) bool {
	ds, _, _ := dataset.Split(m.from)
	return m.job == r.Run.Job.Name && ds == p.Copy
}

// short is the snapshot's name.
func (m restoreMark) short() string {
	_, _, short := dataset.Split(m.from)
	return short
}

// judge decides what is to be done about a part whose target is there. What an
// earlier run of this restore has not made is an error.
func (r *Restore) judge(p *RestorePart, d zfs.Dataset, guids map[string]dataset.GUID) error {
	mark, marked := markOf(d)
	ours := marked && mark.of(r, p)
	token := d.Properties["receive_resume_token"].Value
	switch {
	case token != "":
		if err := r.judgePartial(p, token, mark, marked); err != nil {
			return advised(r.instead(), "%q is a partial receive: %w: %w", d.Name, err, errNotOurs)
		}
		p.State, p.token = RestoreResume, token
	case ours && mark.guid == 0:
		return r.judgeCarrier(p)
	case ours && mark.guid != 0 && guids[d.Name+"@"+mark.short()] == mark.guid:
		if r.Snapshot != "" && mark.short() != r.Snapshot && p.State != RestoreMissing {
			return advised(r.instead(), "%q has been restored from %q: %w", d.Name, mark.from, errNotOurs)
		}
		p.State, p.snapshot = RestoreDone, dataset.Version{Kind: dataset.Snapshot, Name: mark.short(), GUID: mark.guid}
	case p.State != RestoreMissing || p.Target == r.Target:
		return advised(r.instead(), "%q exists: %w", d.Name, errNotOurs)
	}
	if p.State == RestoreDone {
		p.Err = nil
	}
	return nil
}

// instead is what to do about a target that is in the way.
func (r *Restore) instead() string {
	if len(r.astray) == 0 && !slices.ContainsFunc(r.parts, func(p *RestorePart) bool { return len(p.held) > 0 }) {
		return otherTarget
	}
	return otherTarget + "; " + r.abandon()
}

// abandon is how to release what is held.
func (r *Restore) abandon() string {
	target := r.Target
	if strings.Contains(target, " ") {
		target = "'" + target + "'"
	}
	return fmt.Sprintf("zreplctl restore -abandon %s %s releases what was held for this one", r.Run.Job.Name, target)
}

// judgeCarrier takes an empty dataset that an earlier run has made as done. If the
// copy has got the snapshot since, that is said: nothing is received over it.
func (r *Restore) judgeCarrier(p *RestorePart) error {
	if p.Err = nil; p.State == RestoreFull {
		p.Err = advised("restore it by itself to another target", "the copy was empty when this restore began, and so is %q", p.Target)
	}
	p.State, p.snapshot = RestoreDone, dataset.Version{}
	return nil
}

// judgePartial reports why a partial receive is not one that this restore has
// begun: a hold or the mark names the target, and the token the snapshot.
func (r *Restore) judgePartial(p *RestorePart, text string, mark restoreMark, marked bool) error {
	t, err := stream.DecodeToken(text)
	switch {
	case err != nil:
		return err
	case p.snapshot.GUID == 0 || t.ToGUID != p.snapshot.GUID || t.ToName != p.From() || t.FromGUID != 0 || t.Saved || t.Redacted:
		return fmt.Errorf("it is of %q", t.ToName)
	case marked && mark != r.mark(p):
		return fmt.Errorf("it is of a restore from %q of job %q", mark.from, mark.job)
	case !marked && !p.holds(p.snapshot.Name):
		return fmt.Errorf("no hold on %q says that this restore began it", p.From())
	}
	was := transfer.Partial{Raw: t.Raw, Large: t.Large, Embedded: t.Embedded, Compressed: t.Compressed}
	if why := was.Unresumable(p.options()); why != "" {
		return errors.New(why)
	}
	return nil
}

func (p *RestorePart) holds(short string) bool {
	return slices.Contains(p.held, short)
}
