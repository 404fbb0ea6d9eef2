package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

const threeJobs = "internal/config/testdata/good/three-jobs.yml"

// zreplctl calls run as main does, with pipes for files.
func zreplctl(t *testing.T, stdin string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "in"), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(in, []byte(stdin), 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	o, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var errs bytes.Buffer
	status = run(context.Background(), args, i, o, &errs)
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), errs.String(), status
}

func TestListAndCheck(t *testing.T) {
	want := "pull_prod1\tpull\tprod1.example.com\tstorage/backups/prod1\t10m\n" +
		"offer_to_backups\tsource\tzroot/usr/home,zroot/var/db\tbackups.example.com\t10m\n" +
		"mirror\tlocal\tzroot/var/db\tstorage/local/db\t10m\n"
	for _, args := range []string{"list -config " + threeJobs, "-config " + threeJobs + " list", "-v -config=" + threeJobs + " list -v=false"} {
		if stdout, stderr, status := zreplctl(t, "", strings.Fields(args)...); stdout != want || stderr != "" || status != 0 {
			t.Errorf("%s: %d, %s%s", args, status, stdout, stderr)
		}
	}
	t.Setenv("ZREPLCTL_CONFIG", threeJobs)
	if stdout, _, status := zreplctl(t, "", "list"); stdout != want || status != 0 {
		t.Errorf("by the environment: %d, %s", status, stdout)
	}
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	own := ownConfig(t)
	stdout, stderr, status := zreplctl(t, "", "check", "-config", own)
	noKey := "zreplctl: warning: " + own + `:8:83: job "pull_prod1": connect: identity_file: "/etc/zreplctl/ssh/prod1": no such file or directory` + "\n"
	if strings.Count(stdout, "\n") != 3 || stderr != notLooked+noKey || status != 0 {
		t.Errorf("check: %d, %s%s", status, stdout, stderr)
	}
}

// notLooked is what check says where $ZREPL_ZFS is /nonexistent.
const notLooked = `zreplctl: note: cannot look for the datasets that the rules name: ` +
	`cannot find the zfs program "/nonexistent" (from $ZREPL_ZFS): stat /nonexistent: no such file or directory` + "\n"

// ownConfig is a copy that only its owner can write, whatever the umask was when
// the tree was checked out.
func ownConfig(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(threeJobs)
	file := filepath.Join(dir, "three-jobs.yml")
	if err := errors.Join(err, os.Chmod(dir, 0o700), os.WriteFile(file, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheckJSON(t *testing.T) {
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	stdout, stderr, status := zreplctl(t, "", "check", "-json", "-config", ownConfig(t))
	var good report
	if err := json.Unmarshal([]byte(stdout), &good); err != nil || stderr != "" || status != 0 {
		t.Fatalf("%d, %v, %s", status, err, stderr)
	}
	if !good.OK || len(good.Jobs) != 3 || len(good.Errors) != 0 || len(good.Warnings) != 1 || good.Warnings[0].Line != 8 {
		t.Errorf("%+v", good)
	}
	stdout, stderr, status = zreplctl(t, "jobs:\n- {name: a, type: pul}\n- {name: a b, type: prune}\n", "check", "-json", "-config", "-")
	var bad report
	if err := json.Unmarshal([]byte(stdout), &bad); err != nil || stderr != "" || status != 2 {
		t.Fatalf("%d, %v, %s", status, err, stderr)
	}
	if bad.OK || len(bad.Errors) != 5 || bad.Errors[0].Line != 2 || bad.Errors[0].Column != 19 || bad.Errors[0].File != "-" {
		t.Errorf("%s", stdout)
	}
}

// TestConfigAgain: config | config -config - prints the same, for every
// example in the documentation, too (the config package tests those).
func TestConfigAgain(t *testing.T) {
	files, err := filepath.Glob("internal/config/testdata/good/*.yml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		once, stderr, status := zreplctl(t, "", "config", "-config", file)
		if status != 0 {
			t.Fatalf("%s: %s", file, stderr)
		}
		twice, stderr, status := zreplctl(t, once, "config", "-config", "-")
		if status != 0 || once != twice {
			t.Errorf("%s: %d, %s%s", file, status, stderr, cmp.Diff(once, twice))
		}
	}
}

func TestShow(t *testing.T) {
	for _, test := range []struct {
		args, want string
		status     int
	}{
		{"offer_to_backups rules", "\"zroot/usr/home/paranoid\": \"!\"\n\"zroot/usr/home<\": \"ok\"\n\"zroot/var/db<\": \"ok\"\n", 0},
		{"pull_prod1 rules", "\"<\": \"storage/backups/prod1\"\n", 0},
		{"offer_to_backups policy", "keep:\n  - type: grid\n    grid: 1x1d(keep=all)\n", 0},
		{"-side rhs mirror policy", "keep:\n  - type: grid\n    grid: 24x1h | 35x1d\n", 0},
		{"mirror policy", "zreplctl: a local job has two policies: say -side lhs or -side rhs\nusage: ", 2},
		{"-side lhs pull_prod1 policy", "zreplctl: -side: a pull job has one policy only\nusage: ", 2},
		{"mirror", "zreplctl: show requires the name of a job, and rules, policy or datasets\nusage: ", 2},
		{"miror rules", "zreplctl: no job \"miror\" in \"" + threeJobs + "\"\nzreplctl: hint: did you mean \"mirror\"?\n", 2},
	} {
		stdout, stderr, status := zreplctl(t, "", append([]string{"show", "-config", threeJobs}, strings.Fields(test.args)...)...)
		if status != test.status || !strings.HasPrefix(stdout+stderr, test.want) || stdout != "" && stderr != "" {
			t.Errorf("%s: %d\n got %s%s\nwant %s", test.args, status, stdout, stderr, test.want)
		}
	}
}

// TestAbandonRemoved: abandon of a job that was removed says what to do instead.
func TestAbandonRemoved(t *testing.T) {
	_, stderr, status := zreplctl(t, "", "abandon", "-config", threeJobs, "pull_old")
	want := `zreplctl holds -release pull_old releases what it held on this host`
	if status != 2 || !strings.Contains(stderr, `no job "pull_old"`) || !strings.Contains(stderr, "pull_prod1") || !strings.Contains(stderr, want) {
		t.Errorf("%d, %s", status, stderr)
	}
	if _, stderr, _ := zreplctl(t, "", "abandon", "-config", threeJobs, "a; b"); strings.Contains(stderr, "-release") {
		t.Error(stderr)
	}
}

func TestWrongUse(t *testing.T) {
	for args, want := range map[string]string{
		"":                            "zreplctl: no subcommand\nusage: zreplctl ",
		"lst":                         "zreplctl: unknown subcommand \"lst\"\nusage: zreplctl ",
		"list x -config " + threeJobs: "zreplctl: unexpected argument \"x\"\nusage: zreplctl list",
		"check -jsn":                  "zreplctl: flag provided but not defined: -jsn\nusage: zreplctl check",
		"check -config":               "zreplctl: flag needs an argument: -config\nusage: zreplctl check",
		"list -config /nonexistent":   "zreplctl: cannot read configuration \"/nonexistent\": no such file or directory\n",
		"list -config /":              "zreplctl: cannot read configuration \"/\": it is a directory\n",
		"completion tcsh":             "zreplctl: completion requires the name of a shell: bash, zsh or fish\nusage: ",
		"import":                      "zreplctl: import takes one file, or -syncoid and a command line in quotes\nusage: ",
		"import x":                    "zreplctl: cannot tell what \"x\" is for: write -from zrepl or -from sanoid\nusage: ",
		"import -from x y":            "zreplctl: cannot tell what \"y\" is for: write -from zrepl or -from sanoid\nusage: ",
		"import none.yml":             "zreplctl: cannot import \"none.yml\": no such file or directory\n",
		"import -syncoid x":           "zreplctl: cannot import \"syncoid\": syncoid takes a source and a target, and here are 1\n",
		"init -dir x nothing":         "zreplctl: init takes one of pull, source, push, push-sink, local\nusage: ",
		"init -dir x -client a/b":     "zreplctl: bad -client \"a/b\": character '/' at byte 2",
	} {
		stdout, stderr, status := zreplctl(t, "", strings.Fields(args)...)
		if stdout != "" || status != 2 || !strings.HasPrefix(stderr, want) || strings.Count(stderr, "\n") > 5 {
			t.Errorf("%q: %d, %q\n got %s\nwant %s", args, status, stdout, stderr, want)
		}
	}
}

// TestInit: what init writes for every type passes check, and nothing that
// exists is overwritten.
func TestInit(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Setenv("PATH", fakeKeygen(t)+":"+os.Getenv("PATH"))
	}
	t.Setenv("ZREPL_ZFS", "/nonexistent") // there are none of the pools
	for _, kind := range initTypes() {
		dir := filepath.Join(t.TempDir(), "a b: #c")
		path := filepath.Join(dir, "zreplctl.yml")
		stdout, stderr, status := zreplctl(t, "", "init", kind.text, "-dir", dir, "-host", "h.example.com", "-client", "me")
		if status != 0 {
			t.Fatalf("%s: %d, %s", kind.text, status, stderr)
		}
		connects := kind.text == "pull" || kind.text == "push"
		if line := strings.HasPrefix(stdout, `command="zstdinserver me",restrict ssh-ed25519 `); line != connects {
			t.Errorf("%s: line for authorized_keys: %q", kind.text, stdout)
		}
		if _, stderr, status := zreplctl(t, "", "check", "-config", path); status != 0 || strings.TrimPrefix(stderr, notLooked) != "" {
			t.Errorf("%s: check: %d, %s", kind.text, status, stderr)
		}
		if info, err := os.Stat(filepath.Join(dir, "ssh", "zreplctl")); connects && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("%s: key: %v, %v", kind.text, info, err)
		}
		before := snapshotOf(t, dir)
		if connects {
			again, _, status := zreplctl(t, "", "init", kind.text, "-dir", dir, "-host", "h.example.com", "-client", "me")
			if status != 1 || again != stdout {
				t.Errorf("%s: again: %d, %q", kind.text, status, again)
			}
		}
		_, stderr, status = zreplctl(t, "", "init", "-dir", dir, "local")
		if status != 1 || !strings.Contains(stderr, "file already exists") {
			t.Errorf("%s: again: %d, %s", kind.text, status, stderr)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		again, _, status := zreplctl(t, "", "init", kind.text, "-dir", dir, "-host", "h.example.com", "-client", "me")
		if d := cmp.Diff(before, snapshotOf(t, dir)); status != 0 || again != stdout || d != "" {
			t.Errorf("%s: with the key there: %d, %s%s", kind.text, status, again, d)
		}
		if connects { // with a configuration that is there, and the client's name, or without both
			for _, at := range []string{dir, t.TempDir()} {
				line, stderr, status := zreplctl(t, "", "init", "-key", kind.text, "-dir", at, "-host", "h.example.com", "-client", "me")
				if status != 0 || at == dir && line != stdout || !strings.HasPrefix(line, `command="zstdinserver me",restrict ssh-ed25519 `) {
					t.Errorf("%s: -key: %d, %s%s", kind.text, status, line, stderr)
				}
				if _, err := os.Stat(filepath.Join(at, "zreplctl.yml")); at != dir && !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s: -key wrote a configuration: %v", kind.text, err)
				}
			}
			line, stderr, status := zreplctl(t, "", "init", kind.text, "-dir", dir)
			if status != 1 || line != "" || !strings.Contains(stderr, "-key -host HOST -client IDENTITY") {
				t.Errorf("%s: again, without the client: %d, %s%s", kind.text, status, line, stderr)
			}
		} else if _, _, status := zreplctl(t, "", "init", "-key", kind.text, "-dir", dir); status != 2 {
			t.Errorf("%s: -key: %d", kind.text, status)
		}
		dry, _, status := zreplctl(t, "", "init", "-n", kind.text, "-dir", dir+"/none")
		if _, err := os.Stat(dir + "/none"); status != 0 || !strings.Contains(dry, "type: "+kind.text) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: -n: %d, %v", kind.text, status, err)
		}
	}
}

// TestInitTogether: what init writes for one host's jobs is right in one file,
// and on one host from several files: no two have prefixes that are alike.
func TestInitTogether(t *testing.T) {
	all, prefixes := "jobs:\n", map[string]string{}
	for _, kind := range initTypes() {
		client := "me"
		if kind.text == "push-sink" {
			client = "pusher"
		}
		text, stderr, status := zreplctl(t, "", "init", "-n", kind.text, "-host", "h.example.com", "-client", client)
		_, job, ok := strings.Cut(text, "\njobs:\n")
		if status != 0 || !ok {
			t.Fatalf("%s: %d, %s", kind.text, status, stderr)
		}
		all += job
		_, prefix, _ := strings.Cut(job, "snapshot_prefix: ")
		prefixes[kind.text], _, _ = strings.Cut(prefix, "\n")
	}
	if _, stderr, status := zreplctl(t, all, "check", "-config", "-"); status != 0 {
		t.Errorf("%d, %s\n%s", status, stderr, all)
	}
	takers := []string{"source", "push", "local"}
	for i, one := range takers {
		for _, other := range takers[:i] {
			if a, b := prefixes[one], prefixes[other]; a == "" || strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
				t.Errorf("%s has the prefix %q, and %s %q", one, a, other, b)
			}
		}
	}
	if prefixes["pull"] != prefixes["source"] || prefixes["push-sink"] != prefixes["push"] {
		t.Errorf("the two halves do not fit: %v", prefixes)
	}
}

// TestInitIncluded: where the configuration includes conf.d, each job gets a file
// there, unless its name is taken.
func TestInitIncluded(t *testing.T) {
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	dir := t.TempDir()
	main := filepath.Join(dir, "zreplctl.yml")
	if err := os.WriteFile(main, []byte("include: conf.d/*.yml\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kind, client, file string }{
		{"local", "me", "local.yml"}, {"source", "me", "source_h.yml"}, {"push-sink", "other", "push-sink_h.yml"},
	} {
		_, stderr, status := zreplctl(t, "", "init", "-dir", dir, "-host", "h.example.com", "-client", c.client, c.kind)
		if status != 0 || !strings.Contains(stderr, "wrote "+filepath.Join(dir, "conf.d", c.file)) {
			t.Errorf("%s: %d, %s", c.kind, status, stderr)
		}
	}
	if stdout, stderr, status := zreplctl(t, "", "check", "-config", main); status != 0 || strings.Count(stdout, "\n") != 3 {
		t.Errorf("check: %d, %s%s", status, stdout, stderr)
	}
	before := snapshotOf(t, dir)
	_, stderr, status := zreplctl(t, "", "init", "-dir", dir, "-host", "h.example.com", "-client", "me", "source")
	if status == 0 {
		t.Errorf("once more: %d, %s", status, stderr)
	}
	_, stderr, status = zreplctl(t, "", "init", "-dir", dir, "-host", "g.example.com", "-client", "me", "source")
	if status != 2 || !strings.Contains(stderr, `the client "me" is served by job "offer_to_h" already`) {
		t.Errorf("a client that is taken: %d, %s", status, stderr)
	}
	if d := cmp.Diff(before, snapshotOf(t, dir)); d != "" {
		t.Error(d)
	}
}

// TestInitConfig: init reads no configuration, and says so before it writes
// anything elsewhere.
func TestInitConfig(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stderr, status := zreplctl(t, "", "-config", dir+"/c.yml", "init", "-dir", dir, "local")
	if entries, err := os.ReadDir(dir); status != 2 || !strings.Contains(stderr, "leave out -config") || err != nil || len(entries) > 0 {
		t.Errorf("exit status %d: %s, %v, %v", status, stderr, entries, err)
	}
}

// TestInitSecond: where a configuration of another host is there, init says what
// to type, and that works.
func TestInitSecond(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Setenv("PATH", fakeKeygen(t)+":"+os.Getenv("PATH"))
	}
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	dir := filepath.Join(t.TempDir(), "it's")
	main := filepath.Join(dir, "zreplctl.yml")
	args := []string{"init", "-dir", dir, "-host", "h.example.com", "-client", "me", "pull"}
	if _, stderr, status := zreplctl(t, "", args...); status != 0 {
		t.Fatal(status, stderr)
	}
	before := snapshotOf(t, dir)
	if _, stderr, status := zreplctl(t, "", args...); status != 1 || strings.Contains(stderr, "include") {
		t.Errorf("the same: %d, %s", status, stderr)
	}
	args[4] = "g.example.com"
	_, stderr, status := zreplctl(t, "", args...)
	if d := cmp.Diff(before, snapshotOf(t, dir)); status != 1 || d != "" {
		t.Fatalf("another: %d, %s%s", status, stderr, d)
	}
	_, what, _ := strings.Cut(stderr, "for one more job: ")
	what, _, _ = strings.Cut(what, " writes "+filepath.Join(dir, "conf.d", "pull_g.yml"))
	include, init, ok := strings.Cut(what, ", and then ")
	if want := "-host g.example.com -client me pull"; !ok || !strings.HasSuffix(init, want) || !strings.HasPrefix(init, "zreplctl init -dir '") {
		t.Fatalf("it says %s", stderr)
	}
	if out, err := exec.Command("/bin/sh", "-c", include).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v, %s", include, err, out)
	}
	if _, stderr, status := zreplctl(t, "", args...); status != 0 {
		t.Errorf("%d, %s", status, stderr)
	}
	stdout, stderr, status := zreplctl(t, "", "check", "-config", main)
	if status != 0 || !strings.Contains(stdout, "pull_h\t") || !strings.Contains(stdout, "pull_g\t") {
		t.Errorf("check: %d, %s%s", status, stdout, stderr)
	}
	source := filepath.Join(t.TempDir(), "source")
	for host, want := range []int{0, 1} {
		_, stderr, status := zreplctl(t, "", "init", "-dir", source, "-host", []string{"h0", "h1"}[host], "source")
		if status != want || want == 1 && !strings.Contains(stderr, "write client_identities: [A, B] in serve of the source job") {
			t.Errorf("source: %d, %s", status, stderr)
		}
	}
}

// snapshotOf reads all files of a directory.
func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// fakeKeygen stands in for ssh-keygen where there is none: it writes two
// files as it would.
func fakeKeygen(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\nfor f; do :; done\numask 077\necho key >\"$f\"\necho 'ssh-ed25519 AAAA x' >\"$f.pub\"\n"
	if err := simhost.WriteProgram(filepath.Join(dir, "ssh-keygen"), script); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCompletionWords(t *testing.T) {
	t.Setenv("ZREPLCTL_CONFIG", threeJobs)
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"pull", ""}, "pull_prod1"},
		{[]string{"-v", "pull", "-skip", "prune", ""}, "pull_prod1"},
		{[]string{"local", "m"}, "mirror"},
		{[]string{"local", "x"}, ""},
		{[]string{"autosnap", ""}, "offer_to_backups mirror"},
		{[]string{"prune", ""}, "pull_prod1 offer_to_backups mirror"},
		{[]string{"serve", ""}, "backups.example.com"},
		{[]string{"show", ""}, "pull_prod1 offer_to_backups mirror"},
		{[]string{"show", "mirror", ""}, "rules policy datasets"},
		{[]string{"show", "mirror", "rules", ""}, ""},
		{[]string{"show", "-side", ""}, "lhs rhs"},
		{[]string{"-config", "/nonexistent", "pull", ""}, ""},
		{[]string{"-config", ""}, ""},
		{[]string{"find", ""}, "pull_prod1 offer_to_backups mirror"},
		{[]string{"restore", "-file", "x", ""}, "pull_prod1 mirror"},
		{[]string{"completion", ""}, "bash zsh fish"},
		{[]string{"activate", ""}, "storage/backups/prod1 storage/local/db"},
		{[]string{"activate", "-inert", "storage/local/db", "storage/l"}, "storage/local/db"},
		{[]string{"activate", "-i"}, "-inert"},
		{[]string{"che"}, "check"},
		{[]string{"check", "-j"}, "-json"},
		{[]string{"-c"}, "-config"},
	} {
		stdout, stderr, status := zreplctl(t, "", append([]string{"completion", "words", "--"}, test.words...)...)
		var got []string
		for line := range strings.Lines(stdout) {
			word, _, _ := strings.Cut(line, "\t")
			got = append(got, word)
		}
		if strings.Join(got, " ") != test.want || stderr != "" || status != 0 {
			t.Errorf("%q: %d, %q, want %q; %s", test.words, status, got, test.want, stderr)
		}
	}
}
