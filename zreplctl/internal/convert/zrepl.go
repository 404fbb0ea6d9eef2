package convert

import (
	"fmt"
	"net"

	"gopkg.in/yaml.v3"
)

// Zrepl turns zrepl.yml into ours.
func Zrepl(text []byte) (*Result, error) {
	r := newReader()
	root, err := r.document(text)
	if err != nil {
		return nil, err
	}
	z := &zrepl{r: r, doc: newDocument("zrepl.yml"), clients: map[string]bool{}}
	top := r.section(&z.doc.head, "configuration", root)
	z.global(top.sub("global"))
	top.lacks("include", ": import each file by itself")
	jobs, _ := top.take("jobs")
	top.end()
	all := r.items(jobs)
	if len(all) > maxJobs {
		return nil, fmt.Errorf("it has more than %d jobs", maxJobs)
	}
	for _, n := range all {
		z.read(n)
	}
	for _, o := range z.jobs {
		z.convert(o)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return z.doc.result()
}

// maxJobs is how many jobs our configuration can have.
const maxJobs = 1000

// zrepl is a file of zrepl that is being converted.
type zrepl struct {
	r       *reader
	doc     *document
	jobs    []*oldJob
	clients map[string]bool // the identities that are served already
}

// oldJob is a job of zrepl.
type oldJob struct {
	*section
	kind, name     string
	connect, serve *section
	listener       string // of a local connection
	client         string // as whom it connects locally
	paired         bool   // another job of the file connects to it locally
}

func (z *zrepl) read(n *yaml.Node) {
	o := &oldJob{section: z.r.section(&block{doc: z.doc}, "job", n)}
	o.line = n.Line
	o.name, _ = o.text("name")
	o.kind, _ = o.text("type")
	o.what = "job " + o.name
	o.connect, o.serve = o.sub("connect"), o.sub("serve")
	side := o.connect
	if o.kind == "sink" || o.kind == "source" {
		side = o.serve
	}
	if peek(z.r, side, "type") == "local" {
		o.listener, _ = side.text("listener_name")
		o.client, _ = side.text("client_identity")
	}
	z.jobs = append(z.jobs, o)
}

func peek(r *reader, s *section, key string) string {
	for _, e := range s.rest {
		if e.key == key {
			return r.text(e.value)
		}
	}
	return ""
}

// partner is the job of this file that a job connects to locally.
func (z *zrepl) partner(o *oldJob) *oldJob {
	kind := map[string]string{"push": "sink", "pull": "source"}[o.kind]
	for _, other := range z.jobs {
		if o.listener != "" && other.kind == kind && other.listener == o.listener {
			return other
		}
	}
	return nil
}

// clone is the job once more, with nothing taken out.
func (o *oldJob) clone() *oldJob {
	c := *o
	job, connect, serve := *o.section, *o.connect, *o.serve
	c.section, c.connect, c.serve = &job, &connect, &serve
	return &c
}

// into makes all notes about a job go into its own block.
func (o *oldJob) into(j *job) {
	for _, s := range []*section{o.section, o.connect, o.serve} {
		s.b, s.r = &j.block, o.r
	}
}

func (z *zrepl) convert(o *oldJob) {
	switch {
	case o.bad:
		z.doc.add(o.line, "", "").note(o.line, "a job is not a dictionary: left out")
	case o.listener != "" && (o.kind == "push" || o.kind == "pull"):
		z.local(o)
	case o.listener != "":
		z.passiveLocal(o)
	case o.kind == "snap":
		z.snap(o)
	case o.kind == "push":
		z.push(o)
	case o.kind == "pull":
		z.pull(o)
	case o.kind == "source":
		z.source(o)
	case o.kind == "sink":
		z.sink(o)
	default:
		z.other(o)
	}
}

// passiveLocal is the other end of a job that becomes a local one.
func (z *zrepl) passiveLocal(o *oldJob) {
	j := z.doc.add(o.line, "", "")
	for _, other := range z.jobs {
		if other.listener == o.listener && z.partner(other) == o {
			j.remark("The %s job %s needs no job of its own: it is part of the local job for %s.", o.kind, o.name, other.name)
			return
		}
	}
	j.note(o.line, "the %s job %q is for local connections, and no job of this file connects to it: left out", o.kind, o.name)
}

// other is a job that has no equal.
func (z *zrepl) other(o *oldJob) {
	j := z.doc.add(o.line, "", "")
	o.into(j)
	j.note(o.line, "job %q has the type %q, which is not one of this layout of zrepl's (push, sink, pull, source, snap): left out", o.name, o.kind)
	for _, e := range o.rest {
		j.remark("  %s: %s", e.key, o.show(e.value))
	}
}

func (z *zrepl) global(g *section) {
	g.lacks("logging", ": the daemon logs to standard error")
	g.lacks("control", ": both daemons can run meanwhile, each with its own socket")
	g.lacks("serve", ": both daemons can run meanwhile, each with its own sockets")
	n, _ := g.take("monitoring")
	listens := false
	for _, item := range z.r.items(n) {
		m := z.r.section(g.b, "global: monitoring", item)
		kind, _ := m.text("type")
		listen, line := m.text("listen")
		m.take("listen_freebind")
		host, port, err := net.SplitHostPort(listen)
		switch {
		case kind != "prometheus" || err != nil || listens:
			m.b.note(line, "global: monitoring: %q at %q has no equal", kind, listen)
		case host == "":
			m.b.note(line, "global: monitoring: listen: %q is every address of the host; here it is 127.0.0.1, because the page asks for no password", listen)
			host = "127.0.0.1"
			fallthrough
		default:
			listens = true
			m.b.put("global:")
			m.b.put("  monitor: {listen: %q}", net.JoinHostPort(host, port))
		}
		m.end()
	}
	g.end()
}
