package zfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// TestPoolFeatures runs a zpool that stands beside the zfs program, and says
// what OpenZFS says.
func TestPoolFeatures(t *testing.T) {
	dir := t.TempDir()
	z := &ZFS{Path: filepath.Join(dir, "zfs")}
	answer := func(script string) {
		t.Helper()
		if err := simhost.WriteProgram(filepath.Join(dir, "zpool"), "#!/bin/sh\n"+script); err != nil {
			t.Fatal(err)
		}
	}
	answer(`echo "$@" >` + dir + `/args; printf 'a\tfeature@lz4_compress\tactive\nb\tfeature@lz4_compress\tdisabled\nb\tfeature@x\t-\n'`)
	got, err := z.PoolFeatures(t.Context(), []string{"a", "b"}, []string{"lz4_compress", "x"})
	if err != nil || len(got) != 2 || got["a"]["lz4_compress"] != "active" || got["b"]["lz4_compress"] != "disabled" || len(got["b"]) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if want := "get -Hp -o name,property,value feature@lz4_compress,feature@x a b\n"; err != nil || string(args) != want {
		t.Errorf("ran %q, %v", args, err)
	}
	for script, want := range map[string]string{
		`echo "cannot open 'a': no such pool" >&2; exit 1`: "no such pool",
		`echo nonsense`:                       "not a line of pool, feature and state",
		`printf 'a\tsize\t7\n'`:               "not a line of pool, feature and state",
		`printf 'a\tfeature@x\n'`:             "not a line of pool, feature and state",
		`printf 'a\tfeature@x\ton\n'; exit 3`: "exit status 3",
	} {
		answer(script)
		if got, err := z.PoolFeatures(t.Context(), []string{"a"}, []string{"x"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", script, got, err)
		}
	}
	for _, bad := range [][2]string{{"-a", "x"}, {"a", "x,y"}, {"a@b", "x"}, {"a", ""}} {
		if _, err := z.PoolFeatures(t.Context(), []string{bad[0]}, []string{bad[1]}); err == nil || !strings.Contains(err.Error(), "bad") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	z := &ZFS{Path: filepath.Join(dir, "zfs")}
	for _, c := range []struct {
		script string
		yes    bool
		says   string
	}{
		{`[ "$*" = "get -Hp -o value readonly a" ] && echo on`, true, ""},
		{"echo off", false, ""},
		{`echo "cannot open 'a': no such pool" >&2; exit 1`, false, "no such pool"},
	} {
		if err := simhost.WriteProgram(filepath.Join(dir, "zpool"), "#!/bin/sh\n"+c.script+"\n"); err != nil {
			t.Fatal(err)
		}
		yes, err := z.ReadOnly(t.Context(), "a")
		if yes != c.yes || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", c.script, yes, err)
		}
	}
}
