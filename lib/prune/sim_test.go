package prune

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

var bin string

func TestMain(m *testing.M) { os.Exit(simhost.Main(m, &bin, nil)) }

// pruning is a host with datasets p/a and p/b, whose snapshots are s1 to s6,
// and what a run on it tells. Its policy keeps the newest two.
type pruning struct {
	*simhost.Host
	t                *testing.T
	o                Options
	gone, left, kept []string
	result           Result
	err              error
}

func newPruning(t *testing.T, rules ...retention.Rule) *pruning {
	t.Parallel()
	p := &pruning{Host: simhost.New(t, bin, "p", "p/a", "p/b"), t: t}
	for i := range 6 {
		p.Must("zfs", "snapshot", "-r", fmt.Sprintf("p@s%d", i+1))
	}
	p.Must("zfs", "destroy", "p@s1,s2,s3,s4,s5,s6")
	two, err := retention.LastN(2)
	if err != nil {
		t.Fatal(err)
	}
	p.o = Options{Roots: []string{"p"}, Recursive: true, Policy: retention.New(append(rules, two)...), Prefix: "s", Now: time.Now(), Events: Events{
		Gone: func(name string) error { p.gone = append(p.gone, name); return nil },
		Left: func(name string, err error) { p.left = append(p.left, fmt.Sprint(name, " ", fault.Of(err))) },
		Kept: func(name, why string) { p.kept = append(p.kept, name+" "+why) },
	}}
	return p
}

// prune runs once and compares what it says with what has gone.
func (p *pruning) prune() {
	p.t.Helper()
	before := p.Snapshots()
	p.gone, p.left, p.kept = nil, nil, nil
	p.result, p.err = Run(p.t.Context(), &zfs.ZFS{Path: p.ZFS("")}, p.o)
	after := p.Snapshots()
	lost := slices.DeleteFunc(before, func(s string) bool { return slices.Contains(after, s) })
	told := slices.Sorted(slices.Values(p.gone))
	if !p.o.DryRun && !slices.Equal(lost, told) {
		p.t.Errorf("%v have gone, and %v were told", lost, told)
	}
}

// there compares the snapshots of p/a and p/b with short names.
func (p *pruning) there(a, b string) {
	p.t.Helper()
	var got [2][]string
	for _, s := range p.Snapshots() {
		if short, ok := strings.CutPrefix(s, "p/a@"); ok {
			got[0] = append(got[0], short)
		} else if short, ok := strings.CutPrefix(s, "p/b@"); ok {
			got[1] = append(got[1], short)
		}
	}
	if strings.Join(got[0], " ") != a || strings.Join(got[1], " ") != b {
		p.t.Errorf("there are %v and %v, not %s and %s: %+v, %v", got[0], got[1], a, b, p.result, p.err)
	}
}

func (p *pruning) guid(snapshot string) dataset.GUID {
	p.t.Helper()
	g, err := dataset.ParseGUID(strings.TrimSpace(p.Must("zfs", "get", "-Hp", "-o", "value", "guid", snapshot)))
	if err != nil {
		p.t.Fatal(err)
	}
	return g
}

// What the policy does not keep goes, the oldest first, with one command for a
// dataset; what is held, cloned or a base stays, and so does what is not ours.
func TestRun(t *testing.T) {
	p := newPruning(t)
	p.Must("zfs", "snapshot", "p/b@other")
	p.Must("zfs", "hold", "keep", "p/a@s1")
	p.Must("zfs", "clone", "p/a@s2", "p/clone")
	p.o.Bases = map[string][]dataset.GUID{"p/b": {p.guid("p/b@s3"), 99}}
	p.Commands()
	p.prune()
	p.there("s1 s2 s5 s6", "other s3 s5 s6")
	if p.err != nil || p.result.Destroyed != 5 || p.result.Stay != 8 || p.result.Left != 0 || len(p.left)+len(p.kept) > 0 {
		t.Errorf("%+v %v %v, %v", p.result, p.left, p.kept, p.err)
	}
	if strings.Join(p.gone, " ") != "p/a@s3 p/a@s4 p/b@s1 p/b@s2 p/b@s4" {
		t.Errorf("in the order %v", p.gone)
	}
	destroyed := 0
	for _, c := range p.Commands() {
		if strings.Contains(c, "destroy") {
			destroyed++
		}
	}
	if destroyed != 2 {
		t.Errorf("%d commands destroy", destroyed)
	}
}

// Whatever is wrong before the first snapshot is destroyed, none is.
func TestRunNothing(t *testing.T) {
	no := errors.New("no")
	p := newPruning(t)
	all := "s1 s2 s3 s4 s5 s6"
	usual := p.o
	for name, change := range map[string]func(o *Options){
		"too many": func(o *Options) { o.Max = 7 },
		"not allowed": func(o *Options) {
			o.Allow = func(_ context.Context, n int) error { return fmt.Errorf("%d: %w", n, no) }
		},
		"not noted":     func(o *Options) { o.Listed = func([]Group) error { return no } },
		"list fails":    func(*Options) { p.Faults("on=list match=creation from=1 fail message=cannot iterate: I/O error") },
		"second fails":  func(*Options) { p.Faults("on=list match=userrefs from=1 fail message=cannot iterate: I/O error") },
		"a name is bad": func(o *Options) { o.Roots = []string{"p", "-r"} },
	} {
		p.Faults("")
		p.o = usual
		change(&p.o)
		p.prune()
		if p.there(all, all); p.err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p.Faults("")
	p.o = usual
	p.o.Max, p.o.DryRun = 8, true
	p.prune()
	p.there(all, all)
	if p.err != nil || len(p.gone) != 8 || p.result.Destroyed != 0 {
		t.Errorf("dry: %v, %v", p.gone, p.err)
	}
	p.o = usual
	p.o.Max, p.o.Roots = 8, []string{"p/a", "p/none"}
	p.prune()
	p.there("s5 s6", all)
	if p.err != nil || !slices.Equal(p.result.Missing, []string{"p/none"}) {
		t.Errorf("missing %v, %v", p.result.Missing, p.err)
	}
	p.o.Roots, p.o.Passes = nil, func(ds string) bool { return ds != "p/b" }
	p.prune()
	p.there("s5 s6", all)
}

// Others work on the same snapshots after they were judged.
func TestRunRaces(t *testing.T) {
	p := newPruning(t)
	did := false
	p.o.Judged = func(string, retention.Verdict) {
		if !did {
			did = true
			p.Must("zfs", "hold", "late", "p/a@s1")
			p.Must("zfs", "clone", "p/a@s2", "p/clone")
			p.Must("zfs", "destroy", "p/a@s3")
			p.Must("zfs", "rename", "p/b", "p/c")
		}
	}
	p.result, p.err = Run(t.Context(), &zfs.ZFS{Path: p.ZFS("")}, p.o)
	if p.there("s1 s2 s5 s6", ""); p.err != nil {
		t.Error(p.err)
	}
	slices.Sort(p.kept)
	if strings.Join(p.kept, ", ") != "p/a@s1 held, p/a@s2 clone" || p.result.Left != 4 || strings.Join(p.left, ", ") != "p/b@s1 gone, p/b@s2 gone, p/b@s3 gone, p/b@s4 gone" {
		t.Errorf("%+v kept %v, left %v", p.result, p.kept, p.left)
	}
	if n := len(p.Snapshots()); n != 4+6+0 {
		t.Errorf("%d snapshots", n)
	}
}

// A snapshot that was destroyed and taken anew since the list is another one.
func TestRunRetaken(t *testing.T) {
	p := newPruning(t)
	p.o.Listed = func([]Group) error {
		p.Must("zfs", "destroy", "p/a@s1")
		p.Must("zfs", "snapshot", "p/a@s1")
		p.Must("zfs", "destroy", "p/a@s2")
		return nil
	}
	p.result, p.err = Run(t.Context(), &zfs.ZFS{Path: p.ZFS("")}, p.o)
	if p.there("s1 s5 s6", "s5 s6"); p.err != nil || slices.Contains(p.gone, "p/a@s2") {
		t.Errorf("%v, %v", p.gone, p.err)
	}
}

// ZFS refuses some: they are told with its reason, and the others go.
func TestRunRefused(t *testing.T) {
	p := newPruning(t)
	p.Faults("on=destroy match=p/a from=1 fail message=cannot destroy snapshots: permission denied\n" +
		"on=destroy match=p/b@s1, n=1 fail message=cannot destroy snapshot p/b@s2: I/O error")
	p.prune()
	p.there("s1 s2 s3 s4 s5 s6", "s2 s5 s6")
	if p.err != nil || p.result.Left != 5 || p.result.Destroyed != 3 || p.left[0] != "p/a@s1 denied" || p.left[4] != "p/b@s2 " {
		t.Errorf("%+v, %q, %v", p.result, p.left, p.err)
	}
	p.Faults("")
	stop := errors.New("nobody reads")
	p.o.Events.Gone = func(name string) error { p.gone = append(p.gone, name); return stop }
	p.gone = nil
	if _, err := Run(t.Context(), &zfs.ZFS{Path: p.ZFS("")}, p.o); err != stop || len(p.gone) != 1 {
		t.Errorf("%v, %v", p.gone, err)
	}
	p.there("s5 s6", "s2 s5 s6") // one command was under way, and no other began
}

// Creations that an earlier run has seen are not asked for again.
func TestRunKnown(t *testing.T) {
	hour, err := retention.ParseGrid("1x1h(keep=all)")
	if err != nil {
		t.Fatal(err)
	}
	p := newPruning(t)
	p.o.Policy = retention.New(hour)
	old, new := time.Now().Add(-72*time.Hour).Unix(), time.Now().Unix()
	known := map[dataset.GUID]int64{}
	for _, ds := range []string{"p/a", "p/b"} {
		for i := range 6 {
			at := old + int64(i)
			if i == 5 {
				at = new
			}
			known[p.guid(fmt.Sprintf("%s@s%d", ds, i+1))] = at
		}
	}
	delete(known, p.guid("p/b@s2")) // asked for: it is young
	p.o.Known = func(g dataset.GUID, _ uint64) (int64, bool) { at, ok := known[g]; return at, ok }
	p.Commands()
	p.prune()
	p.there("s6", "s2 s6")
	asked := 0
	for _, c := range p.Commands() {
		if strings.Contains(c, "creation") {
			asked++
			if !strings.HasSuffix(c, "p/b@s2") {
				t.Errorf("asked for more: %s", c)
			}
		}
	}
	if p.err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, p.err)
	}
	p.o.Known = func(dataset.GUID, uint64) (int64, bool) { return 0, false } // none: one list of all
	p.prune()
	if p.there("s6", "s2 s6"); p.err != nil {
		t.Error(p.err)
	}
}

// What no partner has yet does not go.
func TestRunReplicated(t *testing.T) {
	tag := cursor.Tag("source", "me")
	for name, c := range map[string]struct {
		do   [][]string
		set  func(o *Options)
		a, b string
	}{
		"no partner ever":    {nil, nil, "s1 s2 s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"a hold":             {[][]string{{"hold", tag, "p/a@s3"}}, nil, "s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"another's hold":     {[][]string{{"hold", "keep", "p/a@s3"}}, nil, "s1 s2 s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"the slower of two":  {[][]string{{"hold", tag, "p/a@s4"}, {"hold", cursor.Tag("push", "x"), "p/a@s2"}}, nil, "s2 s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"a bookmark":         {[][]string{{"bookmark", "p/a@s4", "MARK"}}, nil, "s5 s6", "s1 s2 s3 s4 s5 s6"},
		"the one partner":    {[][]string{{"hold", tag, "p/b@s2"}}, func(o *Options) { o.Partners = Partners{Tags: []string{tag}} }, "s1 s2 s3 s4 s5 s6", "s2 s3 s4 s5 s6"},
		"it has nothing yet": {[][]string{{"hold", tag, "p/a@s3"}}, func(o *Options) { o.Unsent = map[string]bool{"p/a": true} }, "s1 s2 s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"it is not sent these": {[][]string{{"hold", tag, "p/a@s3"}}, func(o *Options) {
			o.Partners = Partners{Tags: []string{tag}, Sends: func(string) bool { return false }}
		}, "s3 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"it has nothing yet, and is not sent these": {[][]string{{"hold", tag, "p/a@s3"}}, func(o *Options) {
			o.Partners = Partners{Tags: []string{tag}, Sends: func(string) bool { return false }}
			o.Unsent = map[string]bool{"p/a": true}
		}, "s1 s2 s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"it is sent only the newest": {[][]string{{"hold", tag, "p/a@s1"}}, func(o *Options) {
			o.Partners = Partners{Tags: []string{tag}, Newest: true, Sends: func(name string) bool { return name < "s5" }}
		}, "s1 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"it is sent only the newest, and another one all": {[][]string{{"hold", tag, "p/a@s1"}, {"hold", cursor.Tag("push", "x"), "p/a@s3"}}, func(o *Options) {
			o.Partners = Partners{Tags: []string{tag}, Others: true, Newest: true, Sends: func(name string) bool { return name < "s5" }}
		}, "s1 s3 s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
		"by the plan's bases": {nil, func(o *Options) {
			o.Partners = Partners{Tags: []string{tag}}
			o.Bases = map[string][]dataset.GUID{"p/a": {1}}
		}, "s4 s5 s6", "s1 s2 s3 s4 s5 s6"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPruning(t, retention.NotReplicated())
			for _, args := range c.do {
				for i := range args {
					if args[i] == "MARK" {
						args[i] = "p/a#" + cursor.Bookmark(tag, p.guid("p/a@s4"))
					}
				}
				p.Must(append([]string{"zfs"}, args...)...)
			}
			p.o.Partners = Partners{Others: true}
			if c.set != nil {
				c.set(&p.o)
			}
			if p.o.Bases != nil {
				p.o.Bases["p/a"][0] = p.guid("p/a@s4")
			}
			if p.prune(); p.err != nil {
				t.Error(p.err)
			}
			p.there(c.a, c.b)
		})
	}
}

// A stream of several snapshots is under way, or broke: what lies between its
// ends may be all that the receiver has.
func TestRunChains(t *testing.T) {
	tag := cursor.Tag("source", "me")
	for name, c := range map[string]struct {
		hold []string
		mark string
		gone bool // the snapshot that the stream starts from
		late bool // it begins once all is listed
		want string
	}{
		"under way":              {hold: []string{"s1", "s4"}, want: "s1 s2 s3 s4 s5 s6"},
		"late":                   {hold: []string{"s1", "s4"}, late: true, want: "s1 s2 s3 s4 s5 s6"},
		"over":                   {hold: []string{"s4"}, want: "s4 s5 s6"},
		"from a bookmark":        {hold: []string{"s4"}, mark: "s1", gone: true, want: "s2 s3 s4 s5 s6"},
		"from a marked snapshot": {hold: []string{"s4"}, mark: "s1", want: "s2 s3 s4 s5 s6"},
		"from a bookmark, over":  {mark: "s1", gone: true, want: "s5 s6"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPruning(t)
			for _, s := range c.hold {
				p.Must("zfs", "hold", tag, "p/a@"+s)
			}
			noted, asked := map[string][]Chain{"p/a": {{From: p.guid("p/a@s1"), To: p.guid("p/a@s4")}, {From: 1, To: 2}}}, 0
			p.o.Chains = func() (map[string][]Chain, error) {
				if asked++; c.late && asked == 1 {
					return nil, nil
				}
				return noted, nil
			}
			if c.mark != "" {
				p.Must("zfs", "bookmark", "p/a@"+c.mark, "p/a#"+cursor.Bookmark(tag, p.guid("p/a@"+c.mark)))
			}
			if c.gone {
				p.Must("zfs", "destroy", "p/a@"+c.mark)
			}
			if p.prune(); p.err != nil {
				t.Error(p.err)
			}
			p.there(c.want, "s5 s6")
		})
	}
}

// What is listed for others who judge has all that a policy needs.
func TestList(t *testing.T) {
	p := newPruning(t)
	p.Must("zfs", "hold", "keep", "p/a@s3")
	for recursive, want := range map[bool]int{true: 12, false: 0} {
		var lines []string
		err := List(t.Context(), &zfs.ZFS{Path: p.ZFS("")}, HeldColumns, []string{"p"}, recursive, func(f []string) error {
			if len(f) != len(HeldColumns) {
				t.Errorf("%q", f)
			}
			lines = append(lines, f[0]+" "+f[3])
			return nil
		})
		if err != nil || len(lines) != want || recursive && !slices.Contains(lines, "p/a@s3 1") {
			t.Errorf("%v, %v", lines, err)
		}
	}
}
