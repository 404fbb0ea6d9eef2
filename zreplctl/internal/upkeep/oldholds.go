package upkeep

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// maxOld is how many held snapshots are asked about.
const maxOld = 1000

// old warns of the client's holds that are older than the job's max_hold, of
// those that keep snapshots from being destroyed, and notes them for ReadOld.
func (u *Upkeep) old(ctx context.Context, held []string) error {
	if u.Job.MaxHold == 0 || ctx.Err() != nil {
		return nil
	}
	old, err := endpoint.OldHolds(ctx, u.ZFS, held[:min(len(held), maxOld)], ClientTags(u.Job), time.Now().Add(-u.Job.MaxHold))
	if err != nil {
		return fmt.Errorf("cannot find out how old holds are: %w", err)
	}
	for _, h := range old {
		u.warn(TooOld(u.Job, h))
	}
	if u.State.IsNone() || u.DryRun {
		return nil
	}
	if len(old) == 0 {
		return u.State.Remove(oldName(u.Job.Name))
	}
	text, err := json.Marshal(old)
	if err == nil {
		err = u.State.Write(oldName(u.Job.Name), append(text, '\n'))
	}
	return err
}

// TooOld says that a hold of a client of the job stands for too long.
func TooOld(j *config.Job, h endpoint.OldHold) string {
	return fmt.Sprintf("client %q has held %q since %s, longer than max_hold (%s)",
		client(j, h.Tag), h.Snapshot, h.Since.Format("2006-01-02 15:04"), config.FormatDuration(j.MaxHold))
}

// ClientTags are the tags of the holds that a job's clients have it set.
func ClientTags(j *config.Job) (tags []string) {
	if j.Type == config.PushSink {
		return []string{cursor.LastTag(j.Name)}
	}
	for _, id := range j.Clients() {
		tags = append(tags, cursor.Tag(string(j.Type), id))
	}
	return tags
}

// client is whose hold with that tag it is. A sink has one client.
func client(j *config.Job, tag string) string {
	if j.Type == config.PushSink {
		return strings.Join(j.Clients(), ", ")
	}
	return strings.TrimPrefix(tag, cursor.Tag(string(config.Source), ""))
}

func oldName(job string) string { return job + ".holds" }

// ReadOld returns the old holds that a job's last pruning has found.
func ReadOld(dir state.Dir, job string) (old []endpoint.OldHold) {
	text, err := dir.Read(oldName(job), maxNotesFile)
	if err != nil || json.Unmarshal(text, &old) != nil {
		return nil
	}
	return old
}
