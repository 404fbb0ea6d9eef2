package convert

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

func (z *zrepl) snap(o *oldJob) {
	j := z.begin(o, "autosnap")
	pruning := z.policies(o)
	keep := pruning["keep"]
	at := times{}
	manual := peekIn(z.r, o.section, "snapshotting", "type") == "manual"
	if at.prefix = prefix(keep); manual && (keep == nil || keep.all || keep.fits(at.prefix) != "") {
		j.kind = "" // comments alone
		j.note(o.line, "job %q takes no snapshots, and has no policy that can be taken over: left out", o.name)
		if keep != nil {
			j.quote(keep.old)
		}
		return
	}
	j.rules("datasets", z.filter(j, o, "ok"))
	if manual {
		j.kind = "prune"
		z.snapshots(j, o)
		j.note(o.line, "job %s has no interval: run it by hand, or give it one", j.name)
	} else if at = z.snapshots(j, o); at.prefix == "" {
		at.prefix = "zrepl_"
		j.note(o.line, "job %s: snapshotting has no prefix: zrepl_ is taken", j.name)
	}
	j.take(at)
	j.keep("keep", "pruning", keep, at.prefix)
	z.finish(o)
}

// take writes which snapshots a job is about, and when it takes them.
func (j *job) take(at times) {
	j.prefix = at.prefix
	if at.prefix != "" {
		j.put("snapshot_prefix: %s", scalar(at.prefix))
	}
	for _, line := range at.lines {
		j.put("%s", line)
	}
}

func (z *zrepl) begin(o *oldJob, kind string) *job {
	j := z.doc.add(o.line, o.name, kind)
	o.into(j)
	return j
}

// finish notes the rest of a job.
func (z *zrepl) finish(o *oldJob) {
	o.connect.end()
	o.serve.end()
	o.end()
}

// policies reads all of a job's: keep, keep_sender and keep_receiver.
func (z *zrepl) policies(o *oldJob) map[string]*policy {
	s := o.sub("pruning")
	all := map[string]*policy{}
	for _, key := range []string{"keep", "keep_sender", "keep_receiver"} {
		n, line := s.take(key)
		if p := z.r.policy(s.b, "job "+o.name+": "+key, n, line); p != nil {
			all[key] = p
		}
	}
	s.end()
	return all
}

// filter turns filesystems into rules; ok is the result of what is in.
func (z *zrepl) filter(j *job, o *oldJob, ok string) (all []rule) {
	n, _ := o.take("filesystems")
	seen := map[string]bool{}
	for _, e := range z.r.entries(n) {
		base := strings.TrimSuffix(e.key, "<")
		result := map[string]string{"true": ok, "ok": ok, "false": "!", "!": "!", "omit": "!"}[z.r.text(e.value)]
		switch {
		case e.key != "<" && dataset.CheckName(base) != nil || result == "":
			j.note(e.line, "job %s: filesystems: the rule %q: %s is not one of ours: left out", j.name, e.key, o.show(e.value))
		case seen[e.key]:
			j.note(e.line, "job %s: filesystems: %q is written twice: the first counts", j.name, e.key)
		default:
			seen[e.key] = true
			all = append(all, rule{e.key, result})
		}
	}
	if len(all) == 0 {
		j.note(o.line, "job %s: filesystems: no rule: the job has no datasets", j.name)
	}
	return all
}

func (z *zrepl) push(o *oldJob) {
	j := z.begin(o, "push")
	pruning := z.policies(o)
	z.connection(j, o)
	j.rules("datasets", z.filter(j, o, "ok"))
	at := z.snapshots(j, o)
	j.take(at)
	z.onlyPrefix(j, o, at)
	z.replication(j, o, true)
	z.sending(j, o)
	j.keep("keep", "keep_sender", pruning["keep_sender"], at.prefix)
	j.elsewhere("keep_receiver", "the push-sink job of the other host", pruning["keep_receiver"])
	z.finish(o)
}

// onlyPrefix notes that a prefix chooses what is replicated, too.
func (z *zrepl) onlyPrefix(j *job, o *oldJob, at times) {
	if at.prefix != "" {
		j.note(o.line, "job %s: only snapshots that begin with %q are replicated; zrepl's replicates all that there are", j.name, at.prefix)
	}
}

func (z *zrepl) pull(o *oldJob) {
	j := z.begin(o, "pull")
	pruning := z.policies(o)
	keep := pruning["keep_receiver"]
	z.connection(j, o)
	root, _ := o.text("root_fs")
	j.rules("mapping", []rule{{"<", root}})
	j.sources, j.target = []string{root}, root
	at := times{lines: z.interval(j, o.section)}
	if keep != nil && !keep.all && keep.fits(prefix(keep)) == "" {
		at.prefix = prefix(keep)
	}
	j.take(at)
	z.onlyPrefix(j, o, at)
	z.replication(j, o, false)
	z.receiving(j, o)
	j.keep("keep", "keep_receiver", keep, at.prefix)
	j.elsewhere("keep_sender", "the source job of the other host", pruning["keep_sender"])
	z.finish(o)
}

func (z *zrepl) source(o *oldJob) {
	j := z.begin(o, "source")
	clients := z.identities(j, o)
	if len(clients) == 0 {
		z.nobody(j, o)
		return
	}
	z.served(j, o, clients)
	j.rules("datasets", z.filter(j, o, "ok"))
	at := z.snapshots(j, o)
	j.take(at)
	z.onlyPrefix(j, o, at)
	z.sending(j, o)
	if at.prefix != "" {
		j.note(o.line, "job %s: nothing destroys snapshots here until you give it keep: the rules of keep_sender of the job that pulls", j.name)
	}
	z.finish(o)
}

// sink makes a job for each client: each has its own root.
func (z *zrepl) sink(o *oldJob) {
	j := z.begin(o, "push-sink")
	clients := z.identities(j, o)
	if len(clients) == 0 {
		z.nobody(j, o)
		return
	}
	root, _ := o.text("root_fs")
	recv := o.sub("recv")
	for i, client := range clients {
		if i > 0 {
			j = z.doc.add(o.line, goodName(o.name+"_"+client), "push-sink")
		}
		z.served(j, o, []string{client})
		j.target = root + "/" + client
		j.put("root: %s", scalar(j.target))
		mine := *recv // each client's job has them all
		mine.b = &j.block
		z.recv(j, &mine)
	}
	j.note(o.line, "job %s: nothing destroys snapshots here until you give it, for each client, snapshot_prefix, interval and keep: the rules of keep_receiver of the job that pushes", o.name)
	z.finish(o)
}

// nobody is a job that serves no client that could be named.
func (z *zrepl) nobody(j *job, o *oldJob) {
	j.kind = ""
	j.note(o.line, "the %s job %q names no client that zreplctl could serve: left out", o.kind, o.name)
}

// served writes whom a job serves. A client has one job.
func (z *zrepl) served(j *job, o *oldJob, clients []string) {
	var ours []string
	for _, client := range clients {
		id := goodName(client)
		if z.clients[id] {
			id = goodName(client[:min(len(client), 30)] + "-" + j.name)
		}
		for n, base := 2, id; z.clients[id]; n++ {
			end := fmt.Sprintf("-%d", n)
			id = base[:min(len(base), 64-len(end))] + end
		}
		if z.clients[id] = true; id != client {
			j.note(o.line, "job %s: the client %q is %s here: its line in authorized_keys must say so", j.name, client, id)
		}
		ours = append(ours, id)
	}
	if len(ours) == 1 {
		j.put("serve: {type: stdinserver, client_identity: %s}", scalar(ours[0]))
		return
	}
	j.put("serve: {type: stdinserver, client_identities: %s}", scalars(ours))
}

// identities are the clients that a job serves.
func (z *zrepl) identities(j *job, o *oldJob) (good []string) {
	s := o.serve
	kind, line := s.text("type")
	key := map[string]string{"tcp": "clients", "tls": "client_cns", "stdinserver": "client_identities"}[kind]
	n, _ := s.take(key)
	all := z.r.texts(n)
	if kind == "tcp" {
		for _, e := range z.r.entries(n) {
			all = append(all, z.r.text(e.value))
		}
	}
	if kind == "tcp" || kind == "tls" {
		listen, _ := s.text("listen")
		j.note(line, "%s: %s at %q: zreplctl listens nowhere; its clients connect by ssh, see zstdinserver(8)", s.what, kind, listen)
		for _, key := range []string{"ca", "cert", "key", "listen_freebind", "handshake_timeout"} {
			if n, line := s.take(key); n != nil {
				j.note(line, "%s: %s: %s is not needed for ssh", s.what, key, s.show(n))
			}
		}
	}
	if len(all) > maxJobs {
		j.note(line, "%s: only the first %d of %d clients", s.what, maxJobs, len(all))
		all = all[:maxJobs]
	}
	seen := map[string]bool{}
	for _, id := range all {
		switch {
		case strings.Contains(id, "*") || id == "" || dataset.CheckName("x/"+id) != nil:
			j.note(line, "%s: the client %q is not one that zreplctl can serve: name each", s.what, id)
		case !seen[id]:
			seen[id], good = true, append(good, id)
		}
	}
	return good
}
