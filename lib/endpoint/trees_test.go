package endpoint

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// wood is a host with datasets, of which some have a snapshot s.
type wood struct {
	names []string
	guids map[string]dataset.GUID // by dataset
	log   string
}

func newWood(rng *rand.Rand, n int) *wood {
	w := &wood{names: []string{"p"}, guids: map[string]dataset.GUID{}}
	for i := range n {
		w.names = append(w.names, fmt.Sprintf("%s/d%d", w.names[rng.IntN(len(w.names))], i))
	}
	slices.Sort(w.names)
	for i, name := range w.names {
		if rng.IntN(8) > 0 {
			w.guids[name] = dataset.GUID(i + 1)
		}
	}
	return w
}

// zfs is a zfs program that lists the datasets and the snapshots.
func (w *wood) zfs(t *testing.T) *zfs.ZFS {
	dir := t.TempDir()
	w.log = filepath.Join(dir, "log")
	var snaps strings.Builder
	for name, g := range w.guids {
		fmt.Fprintf(&snaps, "%s@s\t%v\n", name, g)
	}
	for name, text := range map[string]string{"names": strings.Join(w.names, "\n") + "\n", "snaps": snaps.String(), "log": "", "zfs": `#!/bin/sh
dir=$(dirname "$0")
case "$1 $*" in
"list "*filesystem*) cat "$dir/names" ;;
"list "*) cat "$dir/snaps" ;;
*) echo "$*" >>"$dir/log" ;;
esac
`} {
		if err := simhost.WriteProgram(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	return &zfs.ZFS{Path: filepath.Join(dir, "zfs")}
}

func (w *wood) below(root string) (some []string) {
	for _, name := range w.names {
		if w.guids[name] != 0 && dataset.Within(name, root) {
			some = append(some, name)
		}
	}
	return some
}

// TestTrees: zfs hold -r is used on the largest subtrees in which every
// snapshot with the name is one of the request with its guid, and each other
// one of the request is held by itself.
func TestTrees(t *testing.T) {
	used := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWood(rng, 1+rng.IntN(40))
		var in []transfer.Snap
		ours := map[string]bool{}
		for name, g := range w.guids {
			switch rng.IntN(1 + int(seed%12)*3) {
			case 1: // no part of it
			case 2: // another guid
				in = append(in, transfer.Snap{Dataset: name, Name: "s", GUID: g + 1000})
			default:
				ours[name] = true
				in = append(in, transfer.Snap{Dataset: name, Name: "s", GUID: g})
			}
		}
		g, err := survey(context.Background(), w.zfs(t), in)
		if err != nil {
			t.Fatal(err)
		}
		trees, rest := g.trees(in)
		used += len(trees)
		count := map[string]int{}
		for _, s := range rest {
			count[s.Dataset]++
		}
		clean := func(root string) bool {
			return !slices.ContainsFunc(w.below(root), func(ds string) bool { return !ours[ds] })
		}
		for _, tr := range trees {
			if !clean(tr.root) {
				t.Errorf("seed %d: %q is taken as a whole", seed, tr.root)
			}
			if up := dataset.Parent(tr.root); up != "" && dataset.Within(up, lowestAbove(in)) && clean(up) {
				t.Errorf("seed %d: %q could be taken and not only %q", seed, up, tr.root)
			}
			var members []string
			for _, s := range tr.members {
				members = append(members, s.Dataset)
				count[s.Dataset]++
			}
			slices.Sort(members)
			if !slices.Equal(members, w.below(tr.root)) {
				t.Errorf("seed %d: %q has %q, not %q", seed, tr.root, members, w.below(tr.root))
			}
		}
		for _, s := range in {
			if count[s.Dataset] != 1 {
				t.Errorf("seed %d: %q is held %d times", seed, s.Dataset, count[s.Dataset])
			}
		}
	}
	if used < 50 {
		t.Errorf("%d subtrees in all", used)
	}
}

// TestFewCommands: a request of many snapshots that were taken together is one
// hold and one release; a dataset that came in between loses the hold again.
func TestFewCommands(t *testing.T) {
	w := newWood(rand.New(rand.NewPCG(3, 1)), 30)
	var in transfer.Holds
	for _, name := range w.names {
		w.guids[name] = dataset.GUID(len(name))
		in.Hold = append(in.Hold, transfer.Snap{Dataset: name, Name: "s", GUID: w.guids[name]})
	}
	in.Past, in.Confirm, in.Together = in.Hold, true, true
	z := w.zfs(t)
	z.Ran = func(args []string) {
		if args[0] == "hold" {
			w.names = append(w.names, "p/new")
			os.WriteFile(filepath.Join(filepath.Dir(w.log), "names"), []byte(strings.Join(w.names, "\n")+"\n"), 0o600)
		}
	}
	if bad, err := protect(t.Context(), z, "tag", in); err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	got, _ := os.ReadFile(w.log)
	lines := strings.Split(strings.TrimSpace(string(got)), "\n")
	slices.Sort(lines)
	if want := []string{"hold -r tag p@s", "release -r tag p@s", "release tag p/new@s"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}
