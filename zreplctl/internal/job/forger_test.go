package job_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// tally is what the forger counts.
type tally struct {
	sink, pull, seed, refused, accepted, harmless, calls, received atomic.Int64
}

// TestForger sends forged streams to a sink and to a pull job. Whatever they
// are, nothing outside of what was asked for changes, what is inside was asked
// for, and another client is served meanwhile.
func TestForger(t *testing.T) {
	t.Parallel()
	var n tally
	var kinds []string
	first := newPool(t, t.TempDir())
	for _, m := range first.wares().all {
		kinds = append(kinds, m.kind)
	}
	t.Cleanup(func() {
		t.Logf("%d variations to a sink, %d to a pull job and %d in files: %d refused, %d accepted because honest, %d of which either may become; another client listed %d times and sent %d streams meanwhile",
			n.sink.Load(), n.pull.Load(), n.seed.Load(), n.refused.Load(), n.accepted.Load(), n.harmless.Load(), n.calls.Load(), n.received.Load())
		if all := n.sink.Load() + n.pull.Load(); all < 500 && !t.Failed() {
			t.Errorf("only %d variations", all)
		}
	})
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			source := &evilSource{}
			p := newPool(t, source.listen(t))
			f := &forger{wares: p.wares()}
			f.forge(kind, os.Getenv("ZT_HEAVY") != "")
			p.toSink(f, &n)
			p.toPull(f, source, &n)
			p.toSeed(f, &n)
		})
	}
}

// forge makes the variations of one kind. An ordinary round has everything for
// full streams, and for the others what is special to them and each n-th of
// the rest.
func (f *forger) forge(kind string, heavy bool) {
	at := slices.IndexFunc(f.wares.all, func(m *material) bool { return m.kind == kind })
	m := f.wares.all[at]
	step := 1
	f.bytes(m, "as it is", accepted, func() []byte { return m.stream })
	f.names(m)
	f.guids(m)
	f.flags(m)
	f.features(m)
	f.types(m)
	f.payloads(m)
	f.tails(m)
	f.ends(m)
	if heavy {
		f.kinds(m, 1)
		f.orders(m, 1)
		f.noise(m, 300)
	} else {
		f.kinds(m, max(1, (len(m.parsed())-1)/2))
		f.orders(m, 3)
		f.noise(m, 16)
		step = map[string]int{"full": 4, "incremental": 12}[kind]
		if step == 0 {
			step = 14
		}
	}
	f.all = every(f.all, step, at)
	f.others(m)
	f.packages(m)
	if len(m.brings) > 1 {
		f.chains(m)
	}
	f.asks(m)
	if !heavy && kind != "full" {
		rest := f.all
		f.all = every(rest, 4, at)
	}
}

// always are variations of which no round leaves one out: each is the only
// one that a check of its own stops.
var always = []string{"flag bit 0", "flag bit 9", "clone", `"a#b@c"`, `"a@b\x00c"`, "to guid of a foreign", "from guid of nothing", "objset type 3",
	"objset type 4", "feature bit 1", "feature bit 21", "feature bit 26", "feature bit 40", "a number", "crypt_keydata and more", "is of type 6",
	"is of type 11", "ends another", "it ends guid", "behind it a byte", "behind it a stream", "with properties (-p)"}

// every keeps the first, each step-th of the others, and what is kept always.
func every(all []variation, step, offset int) []variation {
	out := all[:1:1]
	for i := 1; i < len(all); i++ {
		kept := slices.ContainsFunc(always, func(part string) bool {
			return strings.HasSuffix(all[i].name, part) || strings.Contains(all[i].name, part+" ")
		})
		if kept || (i+offset)%step == 0 {
			out = append(out, all[i])
		}
	}
	return out
}

// toSink sends each variation as a client of a sink.
func (p *pool) toSink(f *forger, n *tally) {
	other := p.attack("other", true)
	defer other.end()
	foreign := func(name string) bool { return strings.HasPrefix(name, othersOwn) }
	before := p.picture(foreign)
	for i := range f.all {
		v := &f.all[i]
		n.sink.Add(1)
		target := fmt.Sprintf("b/sink/pusher/t%d", i)
		v.of.prepare(target)
		ours := func(name string) bool { return foreign(name) || within(name, target) }
		in := v.of.request(target)
		if v.ask != nil {
			v.ask(&in)
		}
		served := make(chan error, 1)
		go func() { served <- p.serveOther(other, f, i, n) }()
		err := p.push(in, v.make())
		if err := <-served; err != nil {
			p.t.Fatalf("%s: the other client: %v", v.name, err)
		}
		arrived, wrong := p.judgeTarget(target, v.of.had, v.of.brings)
		p.judge("sink, "+v.name, v, err, arrived, append(wrong, different(before, p.picture(ours))...), n)
		p.simulate(nil, "zfs", "receive", "-A", target)
		p.simulate(nil, "zfs", "destroy", "-r", target)
	}
}

// judge holds what happened against what a variation may become.
func (p *pool) judge(name string, v *variation, err error, arrived bool, wrong []string, n *tally) {
	p.t.Helper()
	said := fmt.Sprint(err)
	ours := strings.Contains(said, "the stream is refused")
	switch {
	case len(wrong) > 0:
		p.t.Errorf("%s (%v):\n%s", name, err, strings.Join(wrong, "\n"))
	case v.want == accepted && !arrived:
		p.t.Errorf("%s: did not arrive: %v", name, err)
	case v.want == refused && !ours:
		p.t.Errorf("%s: not refused: %v", name, err)
	case v.want == denied && err == nil:
		p.t.Errorf("%s: not denied", name)
	case (v.want == refused && !v.whole || v.want == denied) && arrived:
		p.t.Errorf("%s: arrived: %v", name, err)
	}
	if strings.ContainsAny(said, "\x00\x1b\r\x7f") || len(said) > 4000 {
		p.t.Errorf("%s: an error of %d bytes: %.300q", name, len(said), said)
	}
	switch v.want {
	case refused, denied:
		n.refused.Add(1)
	case accepted:
		n.accepted.Add(1)
	default:
		n.harmless.Add(1)
	}
}

// push asks the sink to receive a stream, and sends it.
func (p *pool) push(in transfer.ReceiveRequest, stream []byte) error {
	h := p.attack("pusher", true)
	defer h.end()
	return h.CallSend(p.t.Context(), "receive", in, func(_ context.Context, out *os.File) error { return framed(out, stream) }, new(transfer.Received))
}

// othersOwn begins the names of what the other client sends meanwhile.
const othersOwn = "b/sink/pusher2/own"

// serveOther is what an honest client does meanwhile: it lists, and now and
// then sends a stream.
func (p *pool) serveOther(h *hostile, f *forger, i int, n *tally) error {
	if err := h.ask(p.t.Context(), "list", transfer.ListRequest{}); err != nil {
		return err
	}
	n.calls.Add(1)
	if i%25 != 0 {
		return nil
	}
	m := f.wares.all[0]
	in := m.request(fmt.Sprintf("%s-%d", othersOwn, n.received.Add(1)))
	return h.CallSend(p.t.Context(), "receive", in, func(_ context.Context, out *os.File) error { return framed(out, m.stream) }, new(transfer.Received))
}

// toPull offers a dataset for each variation to a pull job, all in one run.
func (p *pool) toPull(f *forger, source *evilSource, n *tally) {
	var tried []*variation
	for i := range f.all {
		if f.all[i].ask == nil { // the puller itself decides what it asks for
			tried = append(tried, &f.all[i])
		}
	}
	other := p.attack("other", true)
	defer other.end()
	var list []transfer.Dataset
	target := func(i int) string { return fmt.Sprintf("b/pull/t%d", i) }
	ours := func(name string) bool {
		return strings.HasPrefix(name, othersOwn) || strings.HasPrefix(name, "b/pull/t")
	}
	for i, v := range tried {
		n.pull.Add(1)
		v.of.prepare(target(i))
		list = append(list, v.of.offer(fmt.Sprintf("a/t%d", i)))
	}
	before := p.picture(ours)
	previous := "nothing"
	source.offer(list, func(in transfer.SendRequest) []byte {
		var i int
		fmt.Sscanf(in.Dataset, "a/t%d", &i)
		if err := p.serveOther(other, f, i, n); err != nil {
			p.t.Errorf("the other client: %v", err)
		}
		if d := different(before, p.picture(ours)); len(d) > 0 {
			p.t.Errorf("pull, %s:\n%s", previous, strings.Join(d, "\n"))
			before = p.picture(ours)
		}
		previous = tried[i].name
		return tried[i].make()
	})
	code, said := p.ctl("pull", "-retries", "0", "-skip", "prune", "fetch")
	source.mu.Lock() // what the source's goroutines wrote
	defer source.mu.Unlock()
	if d := different(before, p.picture(ours)); len(d) > 0 {
		p.t.Errorf("pull, %s:\n%s", previous, strings.Join(d, "\n"))
	}
	if code != 1 {
		p.t.Errorf("the pull job ends with status %d\n%s", code, said)
	}
	for i, v := range tried {
		arrived, wrong := p.judgeTarget(target(i), v.of.had, v.of.brings)
		p.judge("pull, "+v.name, v, saidOf(said, target(i), arrived && v.whole), arrived, wrong, n)
	}
}

// offer is how a source lists a dataset from which the stream could be.
func (m *material) offer(name string) transfer.Dataset {
	d := transfer.Dataset{Name: name, Volume: m.volume, Encrypted: m.send.Raw, Send: m.send}
	if m.from.GUID != 0 {
		d.Versions = append(d.Versions, m.from)
	}
	for i, b := range m.brings {
		d.Versions = append(d.Versions, dataset.Version{Kind: dataset.Snapshot, Name: b.Name, GUID: b.GUID, CreateTXG: uint64(i + 2)})
	}
	return d
}

// saidOf is what a job said of a target. What it received whole it confirms,
// and does not care for what came behind.
func saidOf(said, target string, confirmed bool) error {
	for line := range strings.Lines(said) {
		if strings.Contains(line, target+`"`) || strings.Contains(line, target+":") || strings.Contains(line, target+" ") {
			return fmt.Errorf("%s", strings.TrimSpace(line))
		}
	}
	if confirmed {
		return fmt.Errorf("the stream is refused, without a word")
	}
	return nil
}
