package prune

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// What becomes of a batch, with a zfs that answers in turn.
func TestDestroy(t *testing.T) {
	for name, c := range map[string]struct {
		answers    []string // to each command; empty: success
		gone, left string
	}{
		// What is in use is looked at once more, which fails here.
		"all at once":         {[]string{""}, "a b c d", ""},
		"one is busy":         {[]string{"cannot destroy snapshot p@b: dataset is busy", ""}, "a c d", "b"},
		"two rounds":          {[]string{"cannot destroy snapshot p@b: dataset is busy", "cannot destroy snapshot p@d: snapshot is cloned", ""}, "a c", "b d"},
		"one has gone":        {[]string{"cannot destroy snapshot p@b: dataset does not exist", ""}, "a b c d", ""},
		"all have gone":       {[]string{"could not find any snapshots to destroy; check snapshot names."}, "a b c d", ""},
		"the dataset, too":    {[]string{"cannot open 'p': dataset does not exist"}, "", "a b c d"}, // renamed, perhaps
		"not allowed":         {[]string{"cannot destroy snapshots: permission denied"}, "", "a b c d"},
		"a name like an end":  {[]string{"cannot destroy snapshot p@b: does not exist: dataset is busy", ""}, "a c d", "b"},
		"nobody is blamed":    {[]string{"out of luck", "", "out of luck", "out of luck", ""}, "a b d", "c"},
		"all are busy":        {[]string{"cannot destroy snapshot p@a: busy\ncannot destroy snapshot p@b: busy\ncannot destroy snapshot p@c: busy\ncannot destroy snapshot p@d: busy"}, "", "a b c d"},
		"it says what is not": {[]string{"cannot destroy snapshot p@x: dataset is busy", "", ""}, "a b c d", ""},
	} {
		dir := t.TempDir()
		for i, answer := range c.answers {
			if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i+1), []byte(answer), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		script := "#!/bin/sh\ncd " + dir + "; echo >>n; f=$(($(wc -l <n)))\n[ -f $f ] || echo no answer >&2\ncat $f >&2; [ -f $f ] && [ ! -s $f ]\n"
		if err := simhost.WriteProgram(dir+"/zfs", script); err != nil {
			t.Fatal(err)
		}
		var gone, left []string
		ev := Events{
			Gone: func(name string) error { gone = append(gone, strings.TrimPrefix(name, "p@")); return nil },
			Left: func(name string, err error) { left = append(left, strings.TrimPrefix(name, "p@")) },
		}
		g, l, err := Destroy(context.Background(), &zfs.ZFS{Path: dir + "/zfs"}, "p", []string{"a", "b", "c", "d"}, ev)
		slices.Sort(gone)
		commands, _ := os.ReadFile(dir + "/n")
		want := len(c.answers)
		if c.left != "" && strings.Contains(strings.Join(c.answers, " "), "dataset is busy") {
			want++
		}
		if err != nil || strings.Join(gone, " ") != c.gone || strings.Join(left, " ") != c.left || g != len(gone) || l != len(left) || len(commands) != want {
			t.Errorf("%s: gone %v, left %v, %v, %d commands", name, gone, left, err, len(commands))
		}
	}
}

func TestCursor(t *testing.T) {
	g := Group{Dataset: "p"}
	for i := range uint64(9) {
		g.Snapshots = append(g.Snapshots, retention.Snapshot{Name: fmt.Sprint(i), CreateTXG: i + 10})
	}
	mark := func(name string, guid dataset.GUID, txg uint64) dataset.Version {
		return dataset.Version{Kind: dataset.Bookmark, Name: fmt.Sprintf("%s_%016x", name, uint64(guid)), GUID: guid, CreateTXG: txg}
	}
	for name, c := range map[string]struct {
		marks []dataset.Version
		tags  map[string][]string
		want  uint64
	}{
		"none":                  {nil, nil, 0},
		"foreign":               {[]dataset.Version{mark("other", 5, 12)}, map[string][]string{"p@3": {"keep", "zreplctl_last_j"}}, 0},
		"a hold":                {nil, map[string][]string{"p@3": {"zreplctl_source_a"}}, 13},
		"and one being sent":    {nil, map[string][]string{"p@3": {"zreplctl_source_a"}, "p@5": {"zreplctl_source_a"}}, 13},
		"two partners":          {nil, map[string][]string{"p@3": {"zreplctl_source_a"}, "p@2": {"keep", "zreplctl_push_b"}}, 12},
		"bookmarks":             {[]dataset.Version{mark("zreplctl_local_j", 5, 12), mark("zreplctl_local_j", 6, 15)}, nil, 15},
		"a hold, and bookmarks": {[]dataset.Version{mark("zreplctl_push_j", 6, 15)}, map[string][]string{"p@3": {"zreplctl_push_j"}}, 13},
		"another's guid":        {[]dataset.Version{{Kind: dataset.Bookmark, Name: "zreplctl_push_j_0000000000000007", GUID: 8, CreateTXG: 15}}, nil, 0},
	} {
		if got, _ := replicatedTo(g, c.marks, c.tags, Partners{Others: true}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// A job that keeps bookmarks of what has arrived holds only what is being sent.
func TestCursorOfBookmarks(t *testing.T) {
	const tag = "zreplctl_source_a"
	g := Group{Dataset: "p", Snapshots: []retention.Snapshot{{Name: "1", CreateTXG: 11}, {Name: "7", CreateTXG: 17}}}
	marks := []dataset.Version{{Kind: dataset.Bookmark, Name: tag + "_0000000000000005", GUID: 5, CreateTXG: 11}}
	tags := map[string][]string{"p@7": {tag}}
	for _, c := range []struct {
		p    Partners
		want uint64
	}{
		{Partners{Tags: []string{tag}, Bookmarks: true}, 11},
		{Partners{Others: true}, 11}, // how another job keeps it is not known
		{Partners{Tags: []string{tag}}, 17},
	} {
		if got, _ := replicatedTo(g, marks, tags, c.p); got != c.want {
			t.Errorf("%+v: %d, want %d", c.p, got, c.want)
		}
	}
}

func TestCursorOfPartners(t *testing.T) {
	g := Group{Dataset: "p", Snapshots: []retention.Snapshot{{Name: "1", CreateTXG: 11}, {Name: "2", CreateTXG: 12}}}
	tags := map[string][]string{"p@1": {"zreplctl_local_slow"}, "p@2": {"zreplctl_local_fast"}}
	const slow, fast, none = "zreplctl_local_slow", "zreplctl_local_fast", "zreplctl_local_none"
	for _, c := range []struct {
		p    Partners
		want uint64
	}{
		{Partners{}, 0},
		{Partners{Tags: []string{slow}}, 11},
		{Partners{Tags: []string{fast}}, 12},
		{Partners{Tags: []string{none}}, 0},
		{Partners{Tags: []string{fast, slow}}, 11},
		{Partners{Tags: []string{fast, none}}, 0}, // who has nothing of it yet is waited for
		{Partners{Tags: []string{fast}, Others: true}, 11},
		{Partners{Tags: []string{none}, Others: true}, 0},
		{Partners{Others: true}, 11},
	} {
		if got, _ := replicatedTo(g, nil, tags, c.p); got != c.want {
			t.Errorf("%+v: %d, want %d", c.p, got, c.want)
		}
	}
}

// What a partner is not sent waits for the others alone.
func TestCursorOfLeftOut(t *testing.T) {
	g := Group{Dataset: "p", Snapshots: []retention.Snapshot{{Name: "1", CreateTXG: 11}, {Name: "2", CreateTXG: 12}}}
	tags := map[string][]string{"p@1": {"zreplctl_local_slow"}, "p@2": {"zreplctl_local_fast"}}
	const slow, fast, none = "zreplctl_local_slow", "zreplctl_local_fast", "zreplctl_local_none"
	const all = math.MaxUint64
	for _, c := range []struct {
		p      Partners
		others uint64
	}{
		{Partners{}, 0},
		{Partners{Tags: []string{slow}}, all},
		{Partners{Tags: []string{none}}, 0},
		{Partners{Tags: []string{fast, none}}, 0},
		{Partners{Tags: []string{fast}, Others: true}, 11},
		{Partners{Tags: []string{slow}, Others: true}, 12},
		{Partners{Tags: []string{none}, Others: true}, 0},
		{Partners{Tags: []string{slow, fast}, Others: true}, 11}, // another may begin yet
		{Partners{Others: true}, 11},
	} {
		if all, got := replicatedTo(g, nil, tags, c.p); got != c.others || all > got {
			t.Errorf("%+v: %d, want %d; all %d", c.p, got, c.others, all)
		}
	}
}

func TestAhead(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for creation, ahead := range map[int64]bool{-5: false, 0: false, 1_000_000: false, 1_000_060: false, 1_000_061: true, 1 << 40: true, 1<<63 - 1: true} {
		snaps := []retention.Snapshot{{Name: "x", Creation: creation}, {Name: "other", Creation: 1 << 40}}
		text := Ahead("p/a", snaps, "x", now)
		if (text != "") != ahead || ahead && !strings.HasPrefix(text, `snapshot "p/a@x" was created in the future, at `) {
			t.Errorf("%d: %s", creation, text)
		}
	}
	if text := Ahead("p/a", []retention.Snapshot{{Name: "x", Creation: 1 << 40}}, "x", time.Time{}); text != "" {
		t.Errorf("without a clock: %s", text)
	}
}
