package job_test

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	drr "github.com/zrepl-tools/zrepl-tools/lib/zfssim/forge"
)

// packages wraps a stream as zfs send -R, -I and -p do.
func (f *forger) packages(m *material) {
	inner := m.parsed()
	if len(m.brings) > 1 {
		inner = inner[2 : len(inner)-1]
	}
	named := func(name string) drr.Stream {
		s := inner.Clone()
		s.Begins()[0].SetName(name)
		return s
	}
	wrap := func(name string, outer string, payload []byte, in ...drr.Stream) {
		f.bytes(m, "a package: "+name, refused, func() []byte { return drr.Package(outer, payload, in...).Bytes() })
	}
	alien, err := drr.Parse(f.alien)
	if err != nil {
		panic(err)
	}
	evil := alien.Clone()
	evil.Begins()[0].SetName("a#bcdefg2/evil@s0")
	if len(m.brings) == 1 {
		wrap("of itself", "a/fs@s0", nil, inner)
		wrap("outer name cut at #", "a#bcdefg@s", nil, named("a#bcdefg2/evil@s"))
		wrap("outer name shorter", "a@s0", nil, named("a-live@s0"))
		wrap("outer name with a NUL", "a@s\x00x", nil, named("a@s\x00/evil"))
		wrap("outer name empty", "", nil, named("/evil@s0"))
		wrap("outer name of 256 bytes", strings.Repeat("a", 256), nil, inner)
		wrap("in a package", "a/fs@s0", nil, drr.Package("a/fs@s0", nil, inner))
		wrap("with nothing", "a/fs@s0", nil)
		wrap("with another dataset's first", "a#bcdefg@s0", nil, evil, inner)
		wrap("with another dataset's behind", "a#bcdefg@s0", nil, inner, evil)
	}
	f.described(m, inner, wrap)
}

// described adds packages that say what is in them, as those with properties
// and of trees do.
func (f *forger) described(m *material, inner drr.Stream, wrap func(name, outer string, payload []byte, in ...drr.Stream)) {
	pair := func(name string, value any) drr.Pair { return drr.Pair{Name: name, Value: value} }
	to := m.brings[len(m.brings)-1]
	set := func(parent uint64, more ...drr.Pair) drr.Pair {
		one := append([]drr.Pair{pair("name", "a/fs"), pair("parentfromsnap", parent),
			pair("props", []drr.Pair{pair("user:evil", "1"), pair("reservation", uint64(1<<20)), pair("mountpoint", "/etc")}),
			pair("snaps", []drr.Pair{pair(to.Name, uint64(to.GUID))}), pair("snapprops", []drr.Pair{})}, more...)
		return pair("fss", []drr.Pair{pair("0x1234", one)})
	}
	holds := pair("snapholds", []drr.Pair{pair(to.Name, []drr.Pair{pair("evil", uint64(1))})})
	names := []drr.Pair{pair("fromsnap", "s0"), pair("tosnap", to.Name)}
	make := func(more ...drr.Pair) []byte { return drr.Pack(append(names[:2:2], more...)...) }
	for _, p := range []struct {
		name    string
		payload []byte
	}{
		{"with properties (-p)", make(pair("not_recursive", nil), set(0))},
		{"not_recursive as a number", make(pair("not_recursive", uint64(1)), set(0))},
		{"not_recursive as a boolean value", make(pair("not_recursive", true), set(0))},
		{"not_recursive as text", make(pair("not_recursive", "yes"), set(0))},
		{"recursive (-R)", make(set(0))},
		{"below a foreign snapshot", make(set(uint64(f.foreign)))},
		{"below a foreign snapshot, not recursive", make(pair("not_recursive", nil), set(uint64(f.foreign)))},
		{"a clone", make(pair("not_recursive", nil), set(0, pair("origin", uint64(f.foreign))))},
		{"with holds", make(pair("not_recursive", nil), set(0, holds))},
		{"twice not_recursive", make(pair("not_recursive", nil), pair("not_recursive", uint64(1)), set(0))},
		{"two fss", make(pair("not_recursive", nil), set(0), set(uint64(f.foreign)))},
		{"hidden pairs", drr.Pack(drr.Pair{Name: "raw", Size: len(drr.List(names...)) + 200}, pair("not_recursive", nil), set(0))},
		{"a size that lies low", drr.Pack(drr.Pair{Name: "tosnap", Value: to.Name, Size: 8}, set(0))},
		{"empty", drr.Pack()},
		{"garbage", []byte("garbage, and more of it!")},
		{"native", native("not_recursive", 1)},
	} {
		wrap("with a list, "+p.name, "a/fs@"+to.Name, p.payload, inner)
	}
}

// chains are wrong in what only a package of several streams has.
func (f *forger) chains(m *material) {
	parts := func(s drr.Stream) (head drr.Stream, subs []drr.Stream, tail drr.Stream) {
		head, tail = s[:2], s[len(s)-1:]
		var sub drr.Stream
		for _, r := range s[2 : len(s)-1] {
			if sub = append(sub, r); r.Get(drr.Type) == drr.End {
				subs, sub = append(subs, sub), nil
			}
		}
		return head, subs, tail
	}
	alien, err := drr.Parse(f.alien)
	if err != nil {
		panic(err)
	}
	evil := alien.Clone()
	evil[0].SetName("a/fs/evil@s0")
	edit := func(name string, change func(subs []drr.Stream) []drr.Stream) {
		f.add(m, name, refused, func(s drr.Stream) drr.Stream {
			head, subs, tail := parts(s)
			out := append(drr.Stream{}, head...)
			for _, sub := range change(subs) {
				out = append(out, sub...)
			}
			return append(out, tail...)
		})
	}
	for i := range 3 {
		edit(fmt.Sprintf("without part %d", i), func(s []drr.Stream) []drr.Stream { return append(s[:i:i], s[i+1:]...) })
		edit(fmt.Sprintf("part %d twice", i), func(s []drr.Stream) []drr.Stream {
			return append(append(s[:i:i], s[i], s[i]), s[i+1:]...)
		})
		f.lastIf(i == 2)
		edit(fmt.Sprintf("another dataset's before part %d", i), func(s []drr.Stream) []drr.Stream {
			return append(append(s[:i:i], evil), s[i:]...)
		})
		edit(fmt.Sprintf("part %d clones", i), func(s []drr.Stream) []drr.Stream {
			s[i][0].Set(drr.Flags, s[i][0].Get(drr.Flags)|1)
			return s
		})
		edit(fmt.Sprintf("part %d from elsewhere", i), func(s []drr.Stream) []drr.Stream {
			s[i][0].Set(drr.FromGUID, uint64(f.foreign))
			return s
		})
		edit(fmt.Sprintf("part %d full", i), func(s []drr.Stream) []drr.Stream { s[i][0].Set(drr.FromGUID, 0); return s })
		edit(fmt.Sprintf("part %d of a volume", i), func(s []drr.Stream) []drr.Stream { s[i][0].Set(drr.ObjectSet, 3); return s })
		edit(fmt.Sprintf("part %d is a package", i), func(s []drr.Stream) []drr.Stream { s[i][0].SetHeader(2); return s })
		edit(fmt.Sprintf("part %d brings a list", i), func(s []drr.Stream) []drr.Stream { s[i][0].SetPayload(native("x", 1)); return s })
		edit(fmt.Sprintf("part %d names nothing", i), func(s []drr.Stream) []drr.Stream { s[i][0].SetName("a/fs"); return s })
		edit(fmt.Sprintf("part %d ends another", i), func(s []drr.Stream) []drr.Stream {
			s[i][len(s[i])-1].Set(drr.EndGUID, uint64(f.foreign))
			return s
		})
	}
	edit("parts backwards", func(s []drr.Stream) []drr.Stream { return []drr.Stream{s[2], s[1], s[0]} })
	edit("two parts swapped", func(s []drr.Stream) []drr.Stream { return []drr.Stream{s[0], s[2], s[1]} })
	edit("another dataset's behind", func(s []drr.Stream) []drr.Stream { return append(s, evil) })
	f.last()
	edit("no part", func([]drr.Stream) []drr.Stream { return nil })
	for _, name := range []string{"a#bcdefg@s3", "", "a@s3\x00x", "b/sink/pusher2/x@dear"} {
		f.add(m, fmt.Sprintf("outer name %q", name), harmless, func(s drr.Stream) drr.Stream { s[0].SetName(name); return s })
	}
	for _, bit := range []int{0, 21, 24, 26, 40} {
		f.add(m, fmt.Sprintf("feature bit %d of the package", bit), harmless, func(s drr.Stream) drr.Stream {
			s[0].Set(drr.VersionInfo, s[0].Get(drr.VersionInfo)|1<<(bit+2))
			return s
		})
	}
	f.bytes(m, "its last part alone", refused, func() []byte { _, subs, _ := parts(m.parsed()); return subs[2].Bytes() })
	f.bytes(m, "its parts, and no package", refused, func() []byte { s := m.parsed(); return s[2 : len(s)-1].Bytes() })
}

// others sends the streams of other kinds.
func (f *forger) others(m *material) {
	for _, o := range f.wares.all {
		if string(o.stream) == string(m.stream) {
			continue
		}
		want := refused
		if m.resume && o.brings[0] == m.brings[0] && o.from == m.from { // from the beginning again: zfs receive says no
			want = harmless
		}
		f.bytes(m, "a stream that is "+o.kind, want, func() []byte { return o.stream })
	}
}

// asks are requests of a client that no honest one makes; the stream is made
// to fit.
func (f *forger) asks(m *material) {
	ask := func(name string, want verdict, change func(r *transfer.ReceiveRequest)) {
		f.bytes(m, name, want, func() []byte { return m.stream })
		f.all[len(f.all)-1].ask = change
	}
	long := strings.Repeat("s", 300)
	for _, ds := range []string{"b", "b/sink", "b/sink/pusher2", "b/sink/pusher2/new", "b/sink/pusher2/x", "b/sink/pusher-live", "b/foreign", "b/evil",
		"b/sink/pusher/../evil", "b/sink/pusher/%recv", "b/sink/pusher/x@y", "b/sink/pusher/x#y", "b/sink/pusher/", "b/sink/pusher//x",
		"b/sink/pusher/x\x00y", "b/sink/pusher/-x\n", "-F", "", "b/sink/pusher/" + long} {
		ask(fmt.Sprintf("asks for dataset %.60q", ds), denied, func(r *transfer.ReceiveRequest) { r.Dataset = ds })
	}
	for _, name := range []string{"", "a@b", "a/b", "a#b", "a,b", "a%b", "%recv", "a\x00b", "a\nb", "a\x1b", long, "../x", "$(x)", "s0,raw", "s0,to=7@x"} {
		ask(fmt.Sprintf("asks for snapshot %.20q", name), denied, func(r *transfer.ReceiveRequest) { r.Name = name })
		ask(fmt.Sprintf("asks for %.20q on the way", name), denied, func(r *transfer.ReceiveRequest) {
			r.From, r.Via = f.base, []transfer.Brought{{Name: name, GUID: f.foreign}}
		})
	}
	ask("asks for the whole root", denied, func(r *transfer.ReceiveRequest) { r.Dataset = "b/sink/pusher" })
	ask("asks for guid 0", denied, func(r *transfer.ReceiveRequest) { r.To = 0 })
	ask("asks from the guid itself", denied, func(r *transfer.ReceiveRequest) { r.From = r.To })
	ask("asks from a foreign guid", denied, func(r *transfer.ReceiveRequest) { r.From = f.foreign })
	ask("asks for raw", denied, func(r *transfer.ReceiveRequest) { r.Send.Raw = !r.Send.Raw })
	goOn := denied
	if m.kind == "incremental" { // from that very base: it is an increment as any other, since there is no partial receive
		goOn = harmless
	}
	ask("asks to go on", goOn, func(r *transfer.ReceiveRequest) { r.Resume, r.From = !r.Resume, f.base })
	ask("asks for the other kind", denied, func(r *transfer.ReceiveRequest) { r.Volume = !r.Volume })
	ask("asks to receive over what is no placeholder", denied, func(r *transfer.ReceiveRequest) { r.Over, r.Dataset = true, "b/sink/pusher" })
	ask("asks to receive over another's", denied, func(r *transfer.ReceiveRequest) { r.Over, r.Dataset = true, "b/sink/pusher2/x" })
	ask("asks for a thousand on the way", denied, func(r *transfer.ReceiveRequest) {
		r.From = f.base
		for i := range 1001 {
			r.Via = append(r.Via, transfer.Brought{Name: fmt.Sprint("v", i), GUID: dataset.GUID(i + 1)})
		}
	})
	ask("asks for one name twice", denied, func(r *transfer.ReceiveRequest) {
		r.From, r.Via = f.base, []transfer.Brought{{Name: r.Name, GUID: f.foreign}}
	})
}
