package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// checked writes a configuration and returns what check says of it: its
// standard output, and its warnings without what is the same in all of them.
func checked(t *testing.T, jobs string) (stdout string, warnings []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(path, []byte("jobs:\n"+jobs), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, status := zreplctl(t, "", "check", "-config", path)
	if status != 0 {
		t.Fatalf("%d, %s", status, stderr)
	}
	for line := range strings.Lines(stderr) {
		if line == notLooked {
			continue
		}
		warnings = append(warnings, strings.TrimSuffix(strings.TrimPrefix(line, "zreplctl: warning: "+path+":"), "\n"))
	}
	return stdout, warnings
}

// TestCheckWords: what is not the same is not said in the same words.
func TestCheckWords(t *testing.T) {
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	summary := func(job string) string {
		stdout, _ := checked(t, "- {name: j, "+job+"}\n")
		return strings.TrimSuffix(strings.Join(strings.Split(stdout, "\t")[2:], "\t"), "\n")
	}
	const pile = "; no policy: the snapshots that it takes pile up"
	const received = "; no policy: the snapshots that it receives pile up"
	const end = "; no interval: runs only by hand or from cron"
	for job, want := range map[string]string{
		`type: autosnap, snapshot_prefix: x_, datasets: {tank/data: ok}`:                                                  "looks after tank/data alone; takes snapshots x_*" + pile + end,
		`type: autosnap, snapshot_prefix: x_, interval: 1h, datasets: {"tank/data<": ok}`:                                 "looks after tank/data and all below it; takes snapshots x_*" + pile + "; every 1h",
		`type: autosnap, snapshot_prefix: x_, interval: 1h, datasets: {"tank<": ok, "tank/scratch<": "!", "tank/b": "!"}`: "looks after tank and all below it without tank/b alone, tank/scratch and all below it; takes snapshots x_*" + pile + "; every 1h",
		`type: autosnap, snapshot_prefix: x_, datasets: {"tank<": ok, "tank/a<": "!", "tank/a/b": ok, "tank/a/c": "!"}`:   "looks after tank and all below it without tank/a and all below it but tank/a/b alone; takes snapshots x_*" + pile + end,
		`type: autosnap, snapshot_prefix: x_, datasets: {"<": "!", "tank<": ok}`:                                          "looks after tank and all below it; takes snapshots x_*" + pile + end,
		`type: autosnap, snapshot_prefix: x_, datasets: {"tank/data<": ok, tank: ok, "tank/data/a": ok}`:                  "looks after tank alone, tank/data and all below it; takes snapshots x_*" + pile + end,
		`type: pull, connect: {type: exec, command: [sh]}, mapping: {"tank<": s}`:                                         "pulls tank and all below it from sh into s" + received + end,
		`type: pull, connect: {type: exec, command: [sh]}, mapping: {tank: s}`:                                            "pulls tank alone from sh into s" + received + end,
		`type: pull, connect: {type: exec, command: [sh]}, mapping: {"<": s}`:                                             "pulls everything from sh into s" + received + end,
		`type: local, mapping: {tank: s}`:                                                                                 "replicates tank alone into s" + received + end,
		`type: push, connect: {type: exec, command: [sh]}, datasets: {tank: ok}`:                                          "pushes tank alone to sh" + end,
		`type: source, serve: {type: stdinserver, client_identities: [a, b]}, datasets: {tank: ok}`:                       "offers tank alone to the clients a,b; whenever its client comes",
		`type: push-sink, serve: {type: stdinserver, client_identity: a}, root: s`:                                        "receives everything from the client a into s" + received + "; whenever its client comes",
		`type: prune, snapshot_prefix: x_, datasets: {tank: ok}, keep: [{type: last_n, count: 1}]`:                        "prunes tank alone: last_n 1" + end,
		`type: push-sink, serve: {type: stdinserver, client_identity: a}, mapping: {"a/b<": s}`:                           "receives a/b and all below it from the client a into s" + received + "; whenever its client comes",
	} {
		if got := summary(job); got != want {
			t.Errorf("%s:\n got %s\nwant %s", job, got, want)
		}
	}
	for _, rules := range []string{`type: autosnap, snapshot_prefix: x_, datasets: {"%s": ok}`, `type: local, mapping: {"%s": s}`} {
		if one, all := summary(strings.Replace(rules, "%s", "tank/data", 1)), summary(strings.Replace(rules, "%s", "tank/data<", 1)); one == all {
			t.Errorf("both are: %s", one)
		}
	}
}

// TestCheckSurroundings: keys, programs and pools that are not there.
func TestCheckSurroundings(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\nprintf 'tank\\nstorage\\n'\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("ZREPL_ZFS", write("zfs", 0o755))
	good, open, public := write("good", 0o600), write("open", 0o640), write("key.pub", 0o600)
	jobs := ""
	for _, j := range []string{
		"good, type: ssh+stdinserver, host: a, identity_file: " + good,
		"open, type: ssh+stdinserver, host: b, identity_file: " + open,
		"none, type: ssh+stdinserver, host: c, identity_file: " + dir + "/none",
		"public, type: ssh+stdinserver, host: d, identity_file: " + public,
		"folder, type: ssh+stdinserver, host: e, identity_file: " + dir,
		"program, type: exec, command: [" + dir + "/zstdinserver, x]",
		"found, type: exec, command: [sh, -c, x]",
	} {
		name, connect, _ := strings.Cut(j, ", ")
		jobs += "- {name: " + name + ", type: pull, snapshot_prefix: z_, connect: {" + connect + `}, mapping: {"other<": storage/` + name + "}, keep: [{type: last_n, count: 1}]}\n"
	}
	jobs += `- {name: lost, type: local, mapping: {"tank/a<": strage/a, "tnk/b": "storage/b", "no/c<": "!"}, snapshot_prefix: l_, prune_lhs: {keep: []}, prune_rhs: {keep: []}}
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: c}, root: gone/sink, snapshot_prefix: s_, keep: []}
- {name: snap, type: autosnap, datasets: {"missing/x": ok, "tank/y<": ok}, snapshot_prefix: t_, keep: []}
`
	_, got := checked(t, jobs)
	want := []string{
		`3: job "open": connect: identity_file: "` + open + `": others can read it (mode 0640), and ssh ignores such a key: chmod 600`,
		`4: job "none": connect: identity_file: "` + dir + `/none": no such file or directory`,
		`5: job "public": connect: identity_file: "` + public + `": it is the public half of a key: name the other file`,
		`6: job "folder": connect: identity_file: "` + dir + `": it is no file`,
		`7: job "program": connect: command: cannot find program "` + dir + `/zstdinserver"`,
		`9: job "lost": mapping: no dataset matches "no/c<"`,
		`9: job "lost": mapping: no dataset matches "tank/a<"`,
		`9: job "lost": mapping: pool "tnk" does not exist here, or is not imported`,
		`9: job "lost": mapping: pool "strage" does not exist here, or is not imported`,
		`10: job "sink": root: pool "gone" does not exist here, or is not imported`,
		`11: job "snap": datasets: no dataset matches "tank/y<"`,
		`11: job "snap": datasets: pool "missing" does not exist here, or is not imported`,
	}
	for i, w := range got { // the column is looked at in TestListAndCheck
		line, rest, _ := strings.Cut(w, ":")
		_, rest, _ = strings.Cut(rest, ":")
		got[i] = line + ":" + rest
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +:\n%s", d)
	}
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	if _, got := checked(t, jobs); len(got) != 5 {
		t.Errorf("without zfs: %q", got)
	}
}

// TestCheckFile: a configuration that others can change, and one that cannot
// be read.
func TestCheckFile(t *testing.T) {
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yml")
	if err := os.WriteFile(path, []byte(`jobs: [{name: a, type: source, serve: {type: stdinserver, client_identity: b}, datasets: {"t<": ok}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir, file os.FileMode
		want      string
	}{
		{0o755, 0o644, ""},
		{0o755, 0o664, path + ": others can write it (mode 0664)"},
		{0o777, 0o644, path + `: directory "` + dir + `": others can write it (mode 0777)`},
		{0o777 | os.ModeSticky, 0o644, ""},
	} {
		if err := os.Chmod(dir, c.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.file); err != nil {
			t.Fatal(err)
		}
		_, stderr, status := zreplctl(t, "", "check", "-config", path)
		rest, noted := strings.CutPrefix(stderr, notLooked)
		if !noted {
			t.Errorf("%v, %v: %q", c.dir, c.file, stderr)
		}
		if stderr = rest; status != 0 || (c.want == "") != (stderr == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%v, %v: %d, %q", c.dir, c.file, status, stderr)
		}
	}
	if os.Geteuid() == 0 {
		return // root can read everything: the user's case is in scripts/test.d/e2e-user
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	_, stderr, status := zreplctl(t, "", "check", "-config", path)
	if status != 2 || !strings.Contains(stderr, "permission denied\nzreplctl: hint: it belongs to uid ") {
		t.Errorf("%d, %s", status, stderr)
	}
}

// TestCheckRules: a rule whose name is misspelt is named, with what was meant,
// where this host has the datasets. What a pull or a sink names is elsewhere.
func TestCheckRules(t *testing.T) {
	zfs := filepath.Join(t.TempDir(), "zfs")
	if err := simhost.WriteProgram(zfs, "#!/bin/sh\nprintf 'tank\\ntank/data\\ntank/data/mysql\\nstorage\\n'\n"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ZREPL_ZFS", zfs)
	const ssh, keep = "connect: {type: exec, command: [sh]}", "keep: [{type: last_n, count: 1}]"
	for job, want := range map[string][]string{
		`type: source, serve: {type: stdinserver, client_identity: c}, datasets: {"tank/dta<": ok}`:                         {`datasets: no dataset matches "tank/dta<": did you mean "tank/data"?`},
		`type: push, ` + ssh + `, datasets: {"tank/data<": ok, "tank/data/myslq": "!"}`:                                     {`datasets: no dataset matches "tank/data/myslq": did you mean "tank/data/mysql"?`},
		`type: local, mapping: {"tank/data<": storage/d, "tank/other": storage/o}`:                                          {`mapping: no dataset matches "tank/other"`},
		`type: autosnap, snapshot_prefix: x_, datasets: {"tank/none<": ok}`:                                                 {`datasets: no dataset matches "tank/none<"`},
		`type: prune, snapshot_prefix: x_, datasets: {"tank/data": ok, "tank/none": ok}, ` + keep:                           {`datasets: no dataset matches "tank/none"`},
		`type: source, serve: {type: stdinserver, client_identity: c}, datasets: {"<": "!", "tank<": ok, "tank/data": "!"}`: nil,
		`type: pull, ` + ssh + `, mapping: {"else/where<": storage/e}`:                                                      nil,
		`type: push-sink, serve: {type: stdinserver, client_identity: c}, mapping: {"else/where<": storage/e}`:              nil,
	} {
		_, all := checked(t, "- {name: j, "+job+"}\n")
		var got []string
		for _, w := range all {
			if _, text, ok := strings.Cut(w, `job "j": `); ok && strings.Contains(text, "no dataset matches") {
				got = append(got, text)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: want -, got +:\n%s", job, d)
		}
	}
}

// TestCheckStateDir: a statedir that runs cannot write into, for which each run
// would fail.
func TestCheckStateDir(t *testing.T) {
	t.Setenv("ZREPL_ZFS", "/nonexistent")
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]string{dir: "", filepath.Join(dir, "none"): "", file: "not a directory", filepath.Join(file, "below"): "not a directory"} {
		path := filepath.Join(t.TempDir(), "c.yml")
		text := "global: {statedir: " + state + "}\njobs: [{name: a, type: source, serve: {type: stdinserver, client_identity: b}, datasets: {t: ok}}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if want != "" {
			want = "zreplctl: warning: " + path + ": statedir: runs cannot write into \"" + state + "\": " + want + "\n"
		}
		if _, stderr, status := zreplctl(t, "", "check", "-config", path); status != 0 || strings.TrimPrefix(stderr, notLooked) != want {
			t.Errorf("%s: %d, %q, want %q", state, status, stderr, want)
		}
	}
}
