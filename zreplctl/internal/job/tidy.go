package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/choose"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// A job's mark is a file in the run directory. While it is there the last run
// left nothing behind but what the file names, and the next one need not look for leftovers among all
// holds, which takes long where there are many snapshots. Its time is when a
// run last did. What the bases are held by is looked at in every run. The mark
// holds for the rules of that run: others may leave out what is held.
func markPath(rundir, job string) string { return filepath.Join(rundir, job+".tidy") }

// leftoverAge is how often leftovers are looked for without a reason: a
// dataset may have left the rules meanwhile.
const leftoverAge = 24 * time.Hour

// KeepAway keeps runs of a job away until done is called, while somebody else
// changes what is held. The error is ErrRunning while a run is going on.
func KeepAway(ctx context.Context, rundir, job string) (done func(), err error) {
	file, err := lock(ctx, rundir, job)
	if err != nil {
		return nil, err
	}
	return func() { file.Close() }, nil
}

// tidyMark is what the file holds.
type tidyMark struct {
	replicate.Unreleased
	Rules string `json:"rules"`
}

// rulesOf is a sum of what decides which datasets take part in a job.
func rulesOf(j *config.Job) string {
	sum := sha256.New()
	for _, rules := range []*mapfilter.Rules{j.Mapping, j.Datasets} {
		if rules != nil {
			fmt.Fprint(sum, rules)
		}
		fmt.Fprintln(sum)
	}
	fmt.Fprintln(sum, j.Root)
	if j.Select != nil {
		fmt.Fprintln(sum, j.Select)
		for _, name := range choose.Listed(j) {
			if j.Choices[name].Chosen {
				fmt.Fprintln(sum, name)
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// takeMark removes the mark, and returns its time, or zero where there is none
// to be relied on, and what the last run could not release.
func takeMark(path, rules string) (looked time.Time, left replicate.Unreleased) {
	var mark tidyMark
	info, err := os.Stat(path)
	text, rerr := os.ReadFile(path)
	os.Remove(path)
	if err != nil || rerr != nil || json.Unmarshal(text, &mark) != nil || mark.Rules != rules {
		return time.Time{}, mark.Unreleased
	}
	if age := time.Since(info.ModTime()); age < 0 || age > leftoverAge {
		return time.Time{}, mark.Unreleased
	}
	return info.ModTime(), mark.Unreleased
}

// putMark makes the mark. Without it the next run only takes longer.
func putMark(path, rules string, looked time.Time, left replicate.Unreleased) {
	text, err := json.Marshal(tidyMark{left, rules})
	if err == nil && writeState(path, text) == nil {
		os.Chtimes(path, looked, looked)
	}
}
