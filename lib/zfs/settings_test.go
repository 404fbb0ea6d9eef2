package zfs

import (
	"maps"
	"strings"
	"testing"
)

// A value that looks like lines of its own is one value.
func TestFence(t *testing.T) {
	f := newFence([]string{"u:a", "compression"})
	var lines []string
	add := func(text string) { lines = append(lines, strings.Split(text, "\n")...) }
	fence := func(ds, n string) { add(ds + "\t" + f.mark + n + "\t-\t-") }
	evil := "x\tlocal\np/b\tcompression\toff\tlocal\np/b\tzreplctl:end-0\t-\t-\n\np/b\t" + fencePrefix + strings.Repeat("0", 32) + "-1\t-\t-"
	add("p/a\tu:a\t" + evil + "\tlocal")
	fence("p/a", "0")
	add("p/a\tcompression\tlz4\treceived")
	fence("p/a", "1")
	add("p/b\tu:a\t-\t-")
	fence("p/b", "0")
	fence("p/b", "1")
	for _, line := range lines {
		if err := f.line(line); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]map[string]Property{"p/a": {"u:a": {evil, "local"}, "compression": {"lz4", "received"}}, "p/b": {}}
	if len(f.text) > 0 || !maps.EqualFunc(f.all, want, maps.Equal) {
		t.Errorf("%q %q", f.all, f.text)
	}
	for _, bad := range []string{"p/b\tu:a\tx\tlocal", "p/a\tu:b\tx\tlocal", "nonsense"} {
		f := newFence([]string{"u:a"})
		f.line(bad)
		if f.line("p/a\t"+f.mark+"0\t-\t-") == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

func TestSettingsArguments(t *testing.T) {
	z, args := fake(t, `printf 'p/a\trecordsize\np/a\tu:b\n'`)
	names, err := z.SettingNames(ctx, []string{"p"}, true)
	if err != nil || strings.Join(names["p/a"], " ") != "recordsize u:b" {
		t.Errorf("%q, %v", names, err)
	}
	if got := strings.Join(args(), " "); got != "get -Hp -o name,property -s local,received -t filesystem,volume -r all p" {
		t.Error(got)
	}
	if err := z.Set(ctx, map[string]string{"u:a": "x y", "atime": "off"}, "p/a", "p/b"); err != nil {
		t.Error(err)
	}
	if got := strings.Join(args(), "|"); got != "set|atime=off|u:a=x y|p/a|p/b" {
		t.Error(got)
	}
	for what, err := range map[string]error{
		"name": z.Set(ctx, map[string]string{"-o": "x"}, "p/a"), "value": z.Set(ctx, map[string]string{"u:a": "x\ny"}, "p/a"),
		"dataset": z.Set(ctx, map[string]string{"u:a": "x"}, "-r"), "mount": z.Mount(ctx, "-a"), "unmount": z.Unmount(ctx, "p@x"),
	} {
		if err == nil {
			t.Errorf("a bad %s is accepted", what)
		}
	}
	if _, err := z.Settings(ctx, []string{"p"}, false, []string{"a b"}); err == nil {
		t.Error("a bad name is accepted")
	}
	if ran := args(); len(ran) > 1 {
		t.Errorf("ran %q", ran)
	}
}
