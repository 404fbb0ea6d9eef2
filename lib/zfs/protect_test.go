package zfs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShareOut(t *testing.T) {
	for n := range 200 {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint(i))
		}
		parts := shareOut(names, 4, 12)
		if all := slices.Concat(parts...); !slices.Equal(all, names) {
			t.Errorf("%d names: they became %v", n, all)
		}
		for _, p := range parts {
			if len(parts) > 4 || len(parts) > 1 && len(p) < 12 || len(p) < len(parts[0])-1 {
				t.Errorf("%d names: %d parts, one of %d", n, len(parts), len(p))
			}
		}
	}
}

// Many snapshots are held by several commands at once; what each says counts.
func TestManyHolds(t *testing.T) {
	var names []string
	want := map[string]string{}
	for i := range 100 {
		name := fmt.Sprintf("p/d%d@s", i)
		names = append(names, name)
		if i%30 == 7 {
			want[name] = "dataset does not exist"
		}
	}
	z, args := fake(t, `shift 2
for s; do case $s in
*7@*) case $s in p/d7@s | p/d37@s | p/d67@s | p/d97@s)
	echo "cannot hold snapshot '$s': dataset does not exist" >&2; bad=1 ;; esac ;;
*5@*) echo "cannot hold snapshot '$s': tag already exists on this dataset" >&2; bad=1 ;;
esac; done
exit ${bad:-0}`)
	bad, err := z.Hold(ctx, "tag", names)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, err := range bad {
		got[name] = err.Error()
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	var asked []string
	commands := 0
	for _, a := range args() {
		if a == "hold" {
			commands++
		} else if strings.Contains(a, "@") {
			asked = append(asked, a)
		}
	}
	slices.Sort(asked)
	slices.Sort(names)
	if d := cmp.Diff(names, asked); d != "" || commands != 8 {
		t.Errorf("%d commands asked for %s", commands, d)
	}
}

// A line that names no snapshot, as where the caller may not hold one, is
// about those that nothing was said of: smaller commands show which.
func TestNamelessRefusal(t *testing.T) {
	for _, verb := range []string{"hold", "release"} {
		var names []string
		want := map[string]string{}
		for i := range 50 {
			name := fmt.Sprintf("p/d%d@s", i)
			names = append(names, name)
			if i%20 == 9 {
				want[name] = "permission denied"
			}
		}
		z, args := fake(t, `verb=$1; shift 2
for s; do case $s in
p/d9@s | p/d29@s | p/d49@s) echo "cannot $verb: permission denied" >&2; bad=1 ;;
*5@*) echo "cannot $verb snapshot '$s': tag already exists on this dataset; no such tag on this dataset" >&2; bad=1 ;;
esac; done
exit ${bad:-0}`)
		do := map[string]func(context.Context, string, []string) (map[string]error, error){"hold": z.Hold, "release": z.Release}[verb]
		bad, err := do(ctx, "tag", names)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, err := range bad {
			got[name] = err.Error()
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(verb, d)
		}
		commands := 0
		for _, a := range args() {
			if a == verb {
				commands++
			}
		}
		if commands > 40 {
			t.Errorf("%s: %d commands", verb, commands)
		}
	}
}

// Where a whole dataset is gone zfs names that, and not the snapshot.
func TestHoldsOfGone(t *testing.T) {
	names := []string{"p/a@s", "p/gone@r", "p/gone@s", "p/b@s"}
	z, args := fake(t, `shift 2
for s; do case $s in
p/gone@*) echo "cannot open 'p/gone': dataset does not exist" >&2; bad=1 ;;
p/b@*) echo "cannot release hold from snapshot '$s': no such tag on this dataset" >&2; bad=1 ;;
esac; done
exit ${bad:-0}`)
	if bad, err := z.Release(ctx, "tag", names); err != nil || len(bad) != 0 {
		t.Errorf("release: %v, %v", bad, err)
	}
	bad, err := z.Hold(ctx, "tag", names)
	if err != nil || len(bad) != 3 || fmt.Sprint(bad["p/gone@r"], bad["p/gone@s"]) != "dataset does not exist dataset does not exist" {
		t.Errorf("hold: %v, %v", bad, err)
	}
	if n := len(slices.DeleteFunc(args(), func(a string) bool { return a != "hold" && a != "release" })); n != 2 {
		t.Errorf("%d commands", n)
	}
}

// A command of several that does not say why it failed is an error, and so is
// one that could not do its work at all.
func TestManyHoldsFail(t *testing.T) {
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprintf("p/d%d@s", i))
	}
	z, _ := fake(t, `case $* in *d49@*) echo "internal error: out of everything" >&2; exit 1; esac`)
	bad, err := z.Release(ctx, "tag", names)
	if err != nil || len(bad) != 1 || fmt.Sprint(bad["p/d49@s"]) != "internal error: out of everything" {
		t.Error(bad, err)
	}
	z, _ = fake(t, `case $* in *d49@*) echo "internal error: out of everything" >&2; exit 2; esac`)
	if _, err := z.Release(ctx, "tag", names); err == nil || err.Error() != "zfs release: internal error: out of everything" {
		t.Error(err)
	}
	z, _ = fake(t, `exit 1`)
	if bad, err := z.Hold(ctx, "tag", names[:3]); err != nil || len(bad) != 3 {
		t.Error(bad, err)
	}
}

// -x is there where the stream could say something, and only there.
func TestExcluded(t *testing.T) {
	z := &ZFS{Path: "zfs"}
	always := "-x canmount -x mountpoint -x sharenfs -x sharesmb"
	for _, c := range []struct {
		o    ReceiveOptions
		want string
	}{
		{ReceiveOptions{}, "-x canmount -x encryption -x mountpoint -x sharenfs -x sharesmb"},
		{ReceiveOptions{Raw: true}, always},
		{ReceiveOptions{Increment: true}, ""},
		{ReceiveOptions{Increment: true, Raw: true, Volume: true}, ""},
		{ReceiveOptions{Volume: true}, "-x encryption"},
		{ReceiveOptions{Volume: true, Raw: true}, ""},
		{ReceiveOptions{Own: true}, ""},
		{ReceiveOptions{Own: true, Volume: true, Raw: true}, ""},
	} {
		args, err := z.ReceiveArgs("p/a", c.o)
		want := strings.Join(strings.Fields("zfs receive -u -s "+c.want+" p/a"), " ")
		if got := strings.Join(args, " "); err != nil || got != want {
			t.Errorf("%+v: %s, not %s (%v)", c.o, got, want, err)
		}
	}
}

// A snapshot that goes away between a list and the look at its holds takes
// nothing from the others.
func TestHoldsGoneMeanwhile(t *testing.T) {
	z, _ := fake(t, `printf 'p@a\tours\t1\n'; echo "cannot open 'p@gone': dataset does not exist" >&2; exit 1`)
	if held, err := z.Holds(ctx, []string{"p@a", "p@gone"}); err != nil || !slices.Equal(held["p@a"], []string{"ours"}) {
		t.Errorf("%v, %v", held, err)
	}
	z, _ = fake(t, `echo "cannot open 'p@gone': dataset does not exist" >&2; echo 'no datasets available' >&2; exit 1`)
	if held, err := z.Holds(ctx, []string{"p@gone"}); err != nil || len(held) != 0 {
		t.Errorf("%v, %v", held, err)
	}
	z, _ = fake(t, `echo "cannot open 'p@gone': permission denied" >&2; exit 1`)
	if held, err := z.Holds(ctx, []string{"p@gone"}); err == nil {
		t.Errorf("%v", held)
	}
}
