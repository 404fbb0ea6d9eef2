package convert

import (
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// local makes one job of two that are connected locally.
func (z *zrepl) local(o *oldJob) {
	other := z.partner(o)
	if other == nil {
		j := z.doc.add(o.line, "", "")
		o.into(j)
		j.note(o.line, "the %s job %q connects to the local listener %q, which no job of this file has: left out", o.kind, o.name, o.listener)
		return
	}
	j := z.begin(o, "local")
	noted := other.paired
	other.paired = true
	other = other.clone()
	other.into(j)
	sender, receiver := o, other
	if o.kind == "pull" {
		sender, receiver = other, o
	}
	pruning := z.policies(o)
	target, _ := receiver.text("root_fs")
	if o.kind == "push" {
		target += "/" + o.client
	}
	z.joins(j, o, sender, target)
	at := z.snapshots(j, sender)
	if o.kind == "pull" {
		at.lines = z.interval(j, o.section)
		j.note(o.line, "job %s: each run takes a snapshot; zrepl's source job takes them at times of its own", j.name)
	}
	rhs := pruning["keep_receiver"]
	manual := at.prefix == ""
	j.take(at)
	z.onlyPrefix(j, o, at)
	z.replication(j, o, true)
	z.sending(j, sender)
	z.receiving(j, receiver)
	j.keep("prune_lhs", "keep_sender", pruning["keep_sender"], at.prefix)
	if !manual || rhs == nil || rhs.all || rhs.fits(prefix(rhs)) != "" {
		j.keep("prune_rhs", "keep_receiver", rhs, at.prefix)
		rhs = nil
	}
	o.connect.take("type")
	other.serve.take("type")
	o.connect.take("dial_timeout")
	z.finish(o)
	if !noted { // what is left of a job that several connect to
		z.finish(other)
	}
	if rhs != nil {
		z.pruneTarget(o, j, target, at, rhs)
	}
}

// joins writes the mapping of a local job.
func (z *zrepl) joins(j *job, o, sender *oldJob, target string) {
	var all []rule
	inside := false
	for _, r := range z.filter(j, sender, "ok") {
		base := strings.TrimSuffix(r.pattern, "<")
		if r.result == "ok" {
			r.result = strings.TrimSuffix(target+"/"+base, "/")
			j.sources = append(j.sources, base)
			inside = inside || strings.HasSuffix(r.pattern, "<") && (base == "" || dataset.Within(target, base))
		}
		all = append(all, r)
	}
	if inside {
		all = append(all, rule{target + "<", "!"})
		j.note(o.line, "job %s: the target %q is not copied into itself", j.name, target)
	}
	j.rules("mapping", all)
	j.target = target
}

// pruneTarget is the policy of a target whose job takes no snapshots, and so
// has no prefix.
func (z *zrepl) pruneTarget(o *oldJob, local *job, target string, at times, rhs *policy) {
	j := z.doc.add(o.line, local.name+"_prune", "prune")
	j.note(o.line, "job %s prunes the target of %s, which takes no snapshots: run it after that job", j.name, local.name)
	j.rules("datasets", []rule{{target + "<", "ok"}})
	j.take(times{prefix: prefix(rhs), lines: at.lines})
	j.keep("keep", "keep_receiver", rhs, j.prefix)
}
