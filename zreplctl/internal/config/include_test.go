package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// folder writes files into a new folder and returns the path of zreplctl.yml.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "zreplctl.yml")
}

const pullJob = `jobs:
- {name: NAME, type: pull, connect: {base: ours, host: NAME.example.com}, mapping: {"<": tank/NAME}, snapshot_prefix: z_, prune: long}
`

func pullOf(name string) string { return strings.ReplaceAll(pullJob, "NAME", name) }

const mainFile = `include: conf.d/*.yml
policies:
  long: {policy: grid, grid: 24x1h | 30x1d}
connects:
  ours: {type: ssh+stdinserver, user: zfs, port: 2222}
`

// TestInclude reads jobs of several files, in the order of their names, and
// reads the same from the text that the daemon gives to its children.
func TestInclude(t *testing.T) {
	path := folder(t, map[string]string{"zreplctl.yml": mainFile, "conf.d/b.yml": pullOf("b"), "conf.d/a.yml": pullOf("a"),
		"conf.d/.c.yml.swp": "x", "conf.d/.d.yml": pullOf("d"), "conf.d/readme": "x"})
	c, text, err := LoadText(path)
	if err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(filepath.Dir(path), "conf.d"))
	again, err := Parse(text, path, SystemDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{c, again} {
		var got []string
		for _, j := range c.Jobs {
			got = append(got, fmt.Sprintf("%s %s %d %s %v", j.Name, j.Connect.Host, j.Connect.Port, j.Connect.User, j.Prune != nil))
		}
		if s := strings.Join(got, ", "); s != "a a.example.com 2222 zfs true, b b.example.com 2222 zfs true" {
			t.Error(s)
		}
		if len(c.Files) != 3 || len(c.Warnings) != 0 {
			t.Error(c.Files, c.Warnings)
		}
	}
	if p := c.Problem(c.Jobs[1], "mapping", "x"); !strings.HasSuffix(p.Error(), `conf.d/b.yml:2:69: job "b": x`) {
		t.Error(p)
	}
}

// TestIncludeUnread: a directory that cannot be read is an error, and not one
// without files: the daemon would end its jobs without a word. One that is not
// there has none.
func TestIncludeUnread(t *testing.T) {
	for _, pattern := range []string{"loop/*.yml", "*/loop/*.yml", "l*p/*.yml"} {
		path := folder(t, map[string]string{"zreplctl.yml": "include: [" + `"` + pattern + `"` + ", conf.d/*.yml]\n" + strings.SplitAfterN(mainFile, "\n", 2)[1],
			"conf.d/a.yml": pullOf("a"), "sub/readme": "x"})
		dir := filepath.Dir(path)
		for _, at := range []string{"loop", "sub/loop"} {
			if err := os.Symlink("loop", filepath.Join(dir, at)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := LoadText(path); err == nil || !strings.Contains(err.Error(), "loop\": too many levels of symbolic links") {
			t.Errorf("%s: %v", pattern, err)
		}
		os.Remove(filepath.Join(dir, "loop"))
		os.Remove(filepath.Join(dir, "sub/loop"))
		if c, _, err := LoadText(path); err != nil || len(c.Jobs) != 1 {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// TestIncludeWrong: each problem is told with the file, line and column where it
// stands, those of the first file first.
func TestIncludeWrong(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"two of one name": {map[string]string{"zreplctl.yml": mainFile, "conf.d/a.yml": pullOf("a"), "conf.d/b.yml": "\n" + strings.Replace(pullOf("b"), "name: b", "name: a", 1)},
			[]string{`conf.d/b.yml:3:4: job "a": the name is taken by the job in DIR/conf.d/a.yml:2`}},
		"each its own": {map[string]string{"zreplctl.yml": mainFile + "glob: 1\n", "conf.d/a.yml": "jobs:\n- {name: a, type: pul}\n", "conf.d/b.yml": "# x\nglobal: {}\n" + pullOf("b")},
			[]string{`zreplctl.yml:6:1: configuration: unknown key "glob": known are global, include`, `conf.d/a.yml:2:19: job "a": type: "pul" is unknown: did you mean "pull"?`,
				`conf.d/b.yml:2:1: configuration: unknown key "global": known are policies, connects, jobs`}},
		"no YAML":         {map[string]string{"zreplctl.yml": mainFile, "conf.d/a.yml": "jobs: [\n", "conf.d/b.yml": pullOf("b")}, []string{`conf.d/a.yml:`}},
		"empty":           {map[string]string{"zreplctl.yml": mainFile, "conf.d/a.yml": "", "conf.d/b.yml": pullOf("b")}, []string{`conf.d/a.yml: the file is empty`}},
		"a circle":        {map[string]string{"zreplctl.yml": mainFile, "conf.d/a.yml": "include: ../*.yml\n" + pullOf("a")}, []string{`conf.d/a.yml:1:1: configuration: unknown key "include"`}},
		"no job":          {map[string]string{"zreplctl.yml": mainFile}, []string{`configuration: key "jobs" is missing`}},
		"missing":         {map[string]string{"zreplctl.yml": "include: [conf.d/x.yml]\n" + pullOf("a")}, []string{`zreplctl.yml:1:11: include: "DIR/conf.d/x.yml": no such file or directory`}},
		"no pattern":      {map[string]string{"zreplctl.yml": "include: \"[\"\n" + mainFile[strings.Index(mainFile, "policies"):] + pullOf("a")}, []string{`zreplctl.yml:1:10: include: "[" is no pattern of paths`}},
		"a folder":        {map[string]string{"zreplctl.yml": "include: conf.d\n" + pullOf("a"), "conf.d/x": ""}, []string{`cannot read configuration "DIR/conf.d": it is a directory`}},
		"unknown names":   {map[string]string{"zreplctl.yml": strings.Replace(strings.Replace(mainFile, "long:", "lon:", 1), "ours:", "our:", 1) + pullOf("a")}, []string{`there is no connection "ours" in connects: did you mean "our"?`, `prune: there is no policy "long" in policies: did you mean "lon"?`}},
		"a wrong policy":  {map[string]string{"zreplctl.yml": strings.Replace(mainFile, "24x1h", "24x", 1) + pullOf("a")}, []string{`zreplctl.yml:3:30: policies: "long"`}},
		"named twice":     {map[string]string{"zreplctl.yml": mainFile + pullOf("a"), "conf.d/a.yml": "policies:\n  long: {keep: []}\n"}, []string{`conf.d/a.yml:2:3: policies: "long" is written twice`}},
		"a wrong connect": {map[string]string{"zreplctl.yml": strings.Replace(mainFile, "port", "prt", 1) + pullOf("a")}, []string{`connects: "ours": unknown key "prt": did you mean "port"?`}},
		"no host":         {map[string]string{"zreplctl.yml": mainFile + strings.Replace(pullOf("a"), "{base: ours, host: a.example.com}", "ours", 1)}, []string{`job "a": connect: key "host" is missing`}},
	} {
		path := folder(t, c.files)
		_, err := Load(path)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		lines := strings.Split(strings.ReplaceAll(err.Error(), filepath.Dir(path), "DIR"), "\n")
		if len(lines) != len(c.want) {
			t.Errorf("%s: %d errors:\n%v", name, len(lines), err)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %s\ninstead of %s", name, lines[i], want)
			}
		}
	}
}

// TestIncludeStdin: what would be left out without a word is an error.
func TestIncludeStdin(t *testing.T) {
	_, err := Read(strings.NewReader(mainFile+pullOf("a")), "-")
	if err == nil || !strings.Contains(err.Error(), "-:1:10: include: standard input is in no directory") {
		t.Error(err)
	}
}

// TestIncludeMany: 300 files.
func TestIncludeMany(t *testing.T) {
	files := map[string]string{"zreplctl.yml": mainFile}
	for i := range 300 {
		files[fmt.Sprintf("conf.d/h%03d.yml", i)] = pullOf(fmt.Sprintf("h%03d", i))
	}
	path := folder(t, files)
	began := time.Now()
	c, err := Load(path)
	if err != nil || len(c.Jobs) != 300 {
		t.Fatal(err)
	}
	t.Logf("%d jobs of %d files in %v", len(c.Jobs), len(c.Files), time.Since(began))
}
