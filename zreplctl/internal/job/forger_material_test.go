package job_test

import (
	"path"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	drr "github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// material is an honest stream, what is asked for with it, and what a target
// has before.
type material struct {
	kind    string
	stream  []byte
	from    dataset.Version
	brings  []transfer.Brought
	send    dataset.SendOptions
	volume  bool
	resume  bool
	over    bool
	had     []transfer.Brought
	prepare func(target string)
}

// request is what a client asks for who has this stream.
func (m *material) request(target string) transfer.ReceiveRequest {
	last := m.brings[len(m.brings)-1]
	return transfer.ReceiveRequest{Dataset: target, Volume: m.volume, From: m.from.GUID, To: last.GUID, Name: last.Name,
		Via: slices.Clone(m.brings[:len(m.brings)-1]), Resume: m.resume, Over: m.over, Send: m.send}
}

// parsed is the stream to be changed.
func (m *material) parsed() drr.Stream {
	s, err := drr.Parse(m.stream)
	if err != nil {
		panic(err) // it is zfs send's own
	}
	return s
}

// wares is all that the forger works with.
type wares struct {
	all     []*material
	foreign dataset.GUID // of a snapshot in the pool that is nobody's business
	alien   []byte       // a full stream of another dataset
	base    dataset.GUID
}

func (p *pool) wares() *wares {
	w := &wares{foreign: p.guid("b/foreign@dear")}
	for _, s := range []string{"s0", "s1", "s2", "s3"} {
		p.content("a/fs", "content of "+s)
		p.zfs("zfs snapshot a/fs@" + s)
	}
	p.zfs("zfs create -V 1M a/vol")
	p.zfs("zfs snapshot a/vol@v0")
	p.write("key", "a password")
	p.zfs("zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file://" + p.path("key") + " a/enc")
	p.content("a/enc", "secret")
	p.zfs("zfs snapshot a/enc@e0")
	p.zfs("zfs create a/alien")
	p.content("a/alien", "alien")
	p.zfs("zfs snapshot a/alien@s0")
	send := func(args string) []byte { return []byte(p.zfs("zfs send " + args)) }
	brought := func(names ...string) (list []transfer.Brought) {
		for _, name := range names {
			_, short, _ := strings.Cut(name, "@")
			list = append(list, transfer.Brought{Name: short, GUID: p.guid(name)})
		}
		return list
	}
	full := send("-L a/fs@s0")
	s0 := brought("a/fs@s0")
	base := func(target string) {
		p.receive(full, "-o readonly=on -o zreplctl:send=L "+target+"@s0")
	}
	w.base = s0[0].GUID
	from := dataset.Version{Kind: dataset.Snapshot, Name: "s0", GUID: w.base, CreateTXG: 1}
	large := dataset.SendOptions{LargeBlocks: true}
	w.alien = send("-L a/alien@s0")
	nothing := func(string) {}
	w.all = []*material{
		{kind: "full", stream: full, brings: s0, send: large, prepare: nothing},
		{kind: "incremental", stream: send("-L -i @s0 a/fs@s1"), from: from, brings: brought("a/fs@s1"), send: large, had: s0, prepare: base},
		{kind: "chain", stream: send("-L -I @s0 a/fs@s3"), from: from, brings: brought("a/fs@s1", "a/fs@s2", "a/fs@s3"), send: large, had: s0, prepare: base},
		{kind: "raw", stream: send("-L -w a/enc@e0"), brings: brought("a/enc@e0"), send: dataset.SendOptions{Raw: true, LargeBlocks: true}, prepare: nothing},
		{kind: "volume", stream: send("-L a/vol@v0"), brings: brought("a/vol@v0"), send: large, volume: true, prepare: nothing},
		p.resumed(full, s0),
		{kind: "over", stream: full, brings: s0, send: large, over: true, prepare: func(target string) {
			p.zfs("zfs create -o mountpoint=none -o canmount=off -o zreplctl:placeholder=on " + target)
		}},
	}
	return w
}

// resumed is the rest of a stream that was cut.
func (p *pool) resumed(full []byte, brings []transfer.Brought) *material {
	m := &material{kind: "resumed", brings: brings, send: dataset.SendOptions{LargeBlocks: true}, resume: true}
	s, err := drr.Parse(full)
	if err != nil {
		p.t.Fatal(err)
	}
	m.prepare = func(target string) {
		s[0].SetName("a/" + path.Base(target) + "@s0") // it goes on only with the dataset that it is of
		b := s.Bytes()
		p.simulate(b[:len(b)-drr.Size-10], "zfs", "receive", "-s", "-u", "-o", "readonly=on", "-o", "zreplctl:send=L", target+"@s0")
	}
	m.prepare("b/fs")
	token := strings.TrimSpace(p.zfs("zfs get -H -o value receive_resume_token b/fs"))
	m.stream = []byte(p.zfs("zfs send -L -t", token))
	p.zfs("zfs receive -A b/fs")
	return m
}
