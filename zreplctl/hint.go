package main

import (
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

// hints say what a person can do about a dataset that does not move.
var hints = map[plan.Reason]string{
	plan.KeyNotLoaded:   "load the key on the receiver (zfs load-key), or store plain text unencrypted: recv: {plain_encryption: off}",
	plan.KeyChanged:     "give the copy a key of its own; the next stream brings the source's: zfs change-key -o keyformat=passphrase -o keylocation=prompt TARGET",
	plan.FeatureMissing: "enable it in the receiving pool: zpool set feature@NAME=enabled POOL",
	plan.Modified:       whatToLose,
	plan.Diverged:       whatToLose,
	plan.NotOffered:     "look at the rules and at select on both sides; if you removed its source on purpose, run: zreplctl forget JOB TARGET",
	plan.Renamed:        "see to what keeps the copy from its new name; or give it up, so that the source is sent anew: zreplctl forget JOB COPY",
	plan.SourceEmpty:    "if you destroyed its snapshots on purpose, run: zreplctl forget JOB TARGET",
	plan.OlderMissing:   "roll the target back, as zrepl-recovery(7) says, or leave out the older snapshots: zreplctl forget JOB TARGET",
	plan.NoneWanted:     "snapshot_prefix says which snapshots a job sends; if a dataset has none, exclude it in the job's rules",
	plan.NoSpace:        "make room on the receiver, or exclude the dataset; the other datasets went first",
	plan.ForeignPartial: "finish that receive, or discard it: zfs receive -A TARGET",
	plan.OtherPartial:   "run the job, which goes on with it or discards it; or, if the file's stream is to take its place, discard it: zfs receive -A TARGET",
	plan.NameTaken:      "rename the target's snapshot: zfs rename TARGET@NAME TARGET@NAME.old; or destroy it if nobody needs it",
	plan.Illegal:        "the other host lists what no pool can hold: ask its administrator",
	plan.Promoted:       "on the source, if a clone was promoted: zfs promote SOURCE; or, if the clone replaces it, rename the clone to SOURCE; if the source was renamed, rename the old copy: see \"The copy has nothing in common with its source\" in zrepl-recovery(7)",
	plan.Unrelated:      "to begin anew, rename the old copy; zfs rename moves all datasets below, too: zrepl-recovery(7) says how to replace one dataset",
}

// codeHints are for datasets whose stream or holds failed.
var codeHints = map[fault.Kind]string{
	fault.Denied: `zreplctl(8) lists the permissions that a user needs, under "Without root"`,
	fault.NoMark: `cursor: bookmark needs the permissions bookmark and destroy: see "Without root" in zreplctl(8)`,
	fault.NoKey:  "load the key: zfs load-key DATASET",
}

const whatToLose = "zfs rollback -r TARGET@BASE goes back to the base, and destroys what the target got since: see \"The copy was changed\" in zrepl-recovery(7)"

func hint(d *job.DatasetError) string {
	if text := codeHints[d.Code]; d.Reason == "" && text != "" {
		return text
	}
	return hintFor(d.Reason, d.Target)
}

// hintFor says what a person can do about a target that has a reason not to move.
func hintFor(reason plan.Reason, target string) string {
	if reason == plan.Unrelated && target != "" && dataset.Parent(target) == "" {
		return "a pool's own dataset always exists: map to a dataset below it, such as " + target + "/backup"
	}
	return hints[reason]
}

// hinted adds each hint to the last error that it is for. If that is the only
// one, the hint has its names.
func hinted(name string, all []error) []error {
	for text, at := range byHint(all) {
		d := all[at[len(at)-1]].(*job.DatasetError)
		if len(at) == 1 {
			text = filled(text, name, d.Target, "") // the base may have another name on the target
		}
		all[at[len(at)-1]] = cli.Hint(d, "%s", text)
	}
	return all
}

// byHint is where the errors are to which each hint belongs.
func byHint(all []error) map[string][]int {
	at := map[string][]int{}
	for i, err := range all {
		if d, ok := err.(*job.DatasetError); ok && hint(d) != "" {
			at[hint(d)] = append(at[hint(d)], i)
		}
	}
	return at
}

// filled puts names into a hint in the place of words in capitals. Names that a
// shell would take apart stay out of it.
func filled(text, name, target, base string) string {
	if target == "" || strings.Contains(target, " ") {
		return text
	}
	names := []string{"JOB", name, "POOL", dataset.Pool(target)}
	if base != "" {
		names = append(names, "TARGET@BASE", target+"@"+base)
	}
	return strings.NewReplacer(append(names, "TARGET", target)...).Replace(text)
}
