package job_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/frame"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/seed"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// forgedSeed is a file that lists some datasets, each with the stream that make
// returns.
func forgedSeed(t *testing.T, list []transfer.Dataset, make func(i int) []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var lines []any
	for _, d := range list {
		lines = append(lines, endpoint.SeedDataset{Dataset: d})
	}
	w, err := seed.NewWriter(&out, seed.Head{ID: "0123456789abcdef", Role: "source", Job: "evil\x1b[31m", Client: "me"}, lines)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range list {
		e := seed.Entry{Dataset: d.Name}
		if len(d.Versions) > 0 {
			e.Snapshot, e.GUID = d.Versions[0].Name, d.Versions[0].GUID
		}
		if err := w.Entry(e); err != nil {
			t.Fatal(err)
		}
		s := frame.NewWriter(&out, frame.CRC32C)
		for _, err := range []error{s.Header(frame.MakeHeader(frame.CRC32C)), s.Data(make(i)), s.Trailer(frame.Trailer{Status: frame.StatusOK})} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// toSeed puts a dataset for each variation of a full stream into one file, and has
// it imported.
func (p *pool) toSeed(f *forger, n *tally) {
	var tried []*variation
	var list []transfer.Dataset
	target := func(i int) string { return fmt.Sprintf("b/pull/s%d", i) }
	for i := range f.all {
		v := &f.all[i]
		if v.ask != nil || v.of.resume || v.of.from.GUID != 0 || len(v.of.brings) != 1 || len(v.of.had) > 0 {
			continue
		}
		n.seed.Add(1)
		list = append(list, v.of.offer(fmt.Sprintf("a/s%d", len(tried))))
		tried = append(tried, v)
	}
	if len(tried) == 0 {
		return
	}
	ours := func(name string) bool { return strings.HasPrefix(name, "b/pull/s") }
	before := p.picture(ours)
	said := p.imported(1, forgedSeed(p.t, list, func(i int) []byte { return tried[i].make() }), "fetch")
	if d := different(before, p.picture(ours)); len(d) > 0 {
		p.t.Errorf("seed:\n%s", strings.Join(d, "\n"))
	}
	for i, v := range tried {
		arrived, wrong := p.judgeTarget(target(i), v.of.had, v.of.brings)
		p.judge("seed, "+v.name, v, saidOf(said, target(i), arrived && v.whole), arrived, wrong, n)
	}
}

// What a file lists is judged as what a source lists: what cannot be costs that
// dataset and no other, and nothing outside of the job's targets changes.
func TestSeedHostileList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must("zfs", "create", "a/x")
	w.fill("a/x", 5000)
	w.must("zfs", "snapshot", "a/x@s1")
	w.must("zfs", "create", "b/foreign")
	w.must("zfs", "snapshot", "b/foreign@s1")
	stream := []byte(w.must("zfs", "send", "-L", "-e", "-c", "a/x@s1"))
	guid := w.guid("a/x@s1")
	one := func(name string, change func(*transfer.Dataset)) transfer.Dataset {
		d := transfer.Dataset{Name: name, Versions: []dataset.Version{{Kind: dataset.Snapshot, Name: "s1", GUID: guid, CreateTXG: 1}},
			Send: dataset.SendOptions{LargeBlocks: true, Embedded: true, Compressed: true}}
		if change != nil {
			change(&d)
		}
		return d
	}
	list := []transfer.Dataset{
		one("a/good", nil),
		one("a/../foreign", nil),
		one("a/x\x1b[31m", nil),
		one("a/x@s1", nil),
		one("a/-o", nil),
		one("a/"+strings.Repeat("y", 260), nil),
		one("a/twice", nil), one("a/twice", nil),
		one("a/noguid", func(d *transfer.Dataset) { d.Versions[0].GUID = 0 }),
		one("a/otherguid", func(d *transfer.Dataset) { d.Versions[0].GUID++ }),
		one("a/bookmark", func(d *transfer.Dataset) { d.Versions[0].Kind = dataset.Bookmark }),
		one("a/snapname", func(d *transfer.Dataset) { d.Versions[0].Name = "s1/../../b" }),
		one("a/none", func(d *transfer.Dataset) { d.Versions = nil }),
		one("a/two", func(d *transfer.Dataset) {
			d.Versions = append(d.Versions, dataset.Version{Kind: dataset.Snapshot, Name: "s2", GUID: 7, CreateTXG: 2})
		}),
		one("a/raw", func(d *transfer.Dataset) { d.Encrypted, d.Send = true, dataset.SendOptions{Raw: true} }),
		one("a/volume", func(d *transfer.Dataset) { d.Volume = true }),
		one("a/fewer", func(d *transfer.Dataset) { d.Send = dataset.SendOptions{} }),
		one("a/told", func(d *transfer.Dataset) {
			d.Told = transfer.Properties{Sum: "x", Set: map[string]string{"x": strings.Repeat("v", property.MaxValue+1)}}
		}),
		one("b/foreign", nil), // outside the rules
		one("a/last", nil),
	}
	before := w.everything()
	said := w.imported(1, forgedSeed(t, list, func(int) []byte { return stream }), "fetch")
	for _, name := range []string{"a/../foreign", "a/x@s1", "a/twice", "a/noguid", "a/otherguid", "a/bookmark", "a/snapname", "a/none", "a/two", "a/raw", "a/volume", "a/fewer", "a/told"} {
		if !strings.Contains(said, name) {
			t.Errorf("%s is not named", name)
		}
	}
	if strings.ContainsAny(said, "\x1b\x00") {
		t.Errorf("%q", said)
	}
	t.Log(said)
	w.same("a/x", "b/back/a/good")
	w.same("a/x", "b/back/a/last")
	for _, line := range different(before, w.everything()) {
		if !strings.HasPrefix(line, "+ b/back") {
			t.Error(line)
		}
	}
	var there []string
	for _, ds := range w.lines("zfs", "list", "-H", "-o", "name", "-r", "b/back/a") {
		there = append(there, ds)
	}
	w.equal("copies", there, "b/back/a", "b/back/a/-o", "b/back/a/good", "b/back/a/last")
	w.imported(1, bytes.Repeat([]byte{'{'}, 64<<20), "fetch")
	for what, role := range map[string]string{"push": "push", "local": "local", "none": ""} {
		var out bytes.Buffer
		wr, err := seed.NewWriter(&out, seed.Head{ID: "1", Role: role}, []any{list[0]})
		if err == nil {
			err = wr.End()
		}
		if said := w.imported(1, out.Bytes(), "fetch"); err != nil || !strings.Contains(said, "needs one of a job of type source") {
			t.Errorf("%s: %v, %s", what, err, said)
		}
	}
}
