package lib_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// programs builds every program and returns the directory.
func programs(t *testing.T) string {
	t.Helper()
	if built := simhost.Built(); built != "" {
		return built
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "work")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// pages returns the manual pages by name, with their texts.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"../z*/*.[18]", "../doc/*.[57]"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.Base(path)] = string(text)
		}
	}
	return all
}

var (
	usageFlag  = regexp.MustCompile(`(?m)^  -(\S+)`)
	usageSub   = regexp.MustCompile(`(?m)^  ([a-z-]+)  `)
	pageFlag   = regexp.MustCompile(`(?m)^\.It Fl (\S+)`)
	pageSub    = regexp.MustCompile(`(?m)^\.It Cm ([a-z-]+)(.*)$`)
	inlineFlag = regexp.MustCompile(`Fl (\S+)`)
	choices    = regexp.MustCompile(`Fl \S+(?: \| \S+)*`) // Fl map | invert
)

// flagsOf returns the flags that a command's usage shows.
func flagsOf(t *testing.T, command ...string) (flags, subcommands []string) {
	t.Helper()
	c := exec.Command(command[0], append(command[1:], "-h")...)
	out, err := c.Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("%q -h: %v", command, err)
	}
	head, tail, _ := strings.Cut(string(out), "\nflags:\n")
	flags = all(usageFlag, tail)
	if _, list, ok := strings.Cut(head, "\nsubcommands:\n"); ok {
		subcommands = all(usageSub, list)
	}
	return flags, subcommands
}

func all(r *regexp.Regexp, text string) []string {
	var found []string
	for _, m := range r.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestManual holds the manual pages to the programs.
func TestManual(t *testing.T) {
	bin, texts := programs(t), pages(t)
	t.Run("flags", func(t *testing.T) { manualFlags(t, bin, texts) })
	t.Run("references", func(t *testing.T) { manualReferences(t, texts) })
	t.Run("lists", func(t *testing.T) { manualLists(t, texts) })
	t.Run("examples", func(t *testing.T) { manualExamples(t, bin, texts) })
	t.Run("files", manualFiles)
	t.Run("readme", func(t *testing.T) { readmeExamples(t, bin) })
}

// manualFlags: what a program's usage shows stands in its page, and the
// other way round, for each subcommand by itself.
func manualFlags(t *testing.T, bin string, texts map[string]string) {
	t.Helper()
	for _, program := range []string{"zmapfilter.1", "zsend-frame.1", "zrecv-frame.1", "zsnap.8", "zprune.8", "zstdinserver.8", "zreplctl.8"} {
		text, ok := texts[program]
		if !ok {
			t.Errorf("there is no %s", program)
			continue
		}
		name := strings.TrimRight(program, ".18")
		flags, subcommands := flagsOf(t, filepath.Join(bin, name))
		general := text
		if len(subcommands) > 0 {
			general, _, _ = strings.Cut(text, "\n.Ss ") // the others are the subcommands'
		}
		inPage := slices.DeleteFunc(all(pageFlag, general), func(f string) bool { return f == "h" })
		if d := cmp.Diff(flags, inPage, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s: usage -, page +:\n%s", program, d)
		}
		if !strings.Contains(text, "\n.Sh EXIT STATUS\n") {
			t.Errorf("%s does not say its exit statuses", program)
		}
		if d := cmp.Diff(flags, synopsis(text, flags)); len(subcommands) == 0 && d != "" {
			t.Errorf("%s: usage -, synopsis +:\n%s", program, d)
		}
		described := map[string]string{}
		for _, m := range pageSub.FindAllStringSubmatch(text, -1) {
			described[m[1]] += m[2] + "\n" // of all its forms
		}
		for _, sub := range subcommands {
			own, _ := flagsOf(t, filepath.Join(bin, name), sub)
			own = slices.DeleteFunc(own, func(f string) bool { return slices.Contains(flags, f) })
			if d := cmp.Diff(own, all(inlineFlag, described[sub]), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s: %s: usage -, page +:\n%s", program, sub, d)
			}
			for _, f := range all(pageFlag, entry(text, sub)) {
				if !slices.Contains(own, f) {
					t.Errorf("%s describes -%s, which %s does not know", program, f, sub)
				}
			}
			if _, ok := described[sub]; !ok {
				t.Errorf("%s does not describe %s", program, sub)
			}
			delete(described, sub)
		}
		for sub := range described {
			if len(subcommands) > 0 {
				t.Errorf("%s describes %s, which the program does not know", program, sub)
			}
		}
	}
}

// entry returns what a page says of a subcommand.
func entry(text, sub string) string {
	_, text, _ = strings.Cut(text, "\n.It Cm "+sub+" ")
	text, _, _ = strings.Cut(text, "\n.Ss ")
	text, _, _ = strings.Cut(text, "\n.It Cm ")
	return text
}

// synopsis returns the flags that the synopsis of a page shows. Some of one
// letter stand together there.
func synopsis(text string, flags []string) (shown []string) {
	_, text, _ = strings.Cut(text, "\n.Sh SYNOPSIS\n")
	text, _, _ = strings.Cut(text, "\n.Sh DESCRIPTION\n")
	for _, choice := range choices.FindAllString(text, -1) {
		for _, name := range strings.Split(strings.TrimPrefix(choice, "Fl "), " | ") {
			if slices.Contains(flags, name) {
				shown = append(shown, name)
				continue
			}
			shown = append(shown, strings.Split(name, "")...)
		}
	}
	slices.Sort(shown)
	return slices.Compact(shown)
}

// manualReferences: a page of ours that another refers to is there.
func manualReferences(t *testing.T, texts map[string]string) {
	t.Helper()
	reference := regexp.MustCompile(`(?m)^\.(?:Xr|It Xr) (z[a-z.-]+) (\d)`)
	for name, text := range texts {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if _, ok := texts[m[1]+"."+m[2]]; !ok && m[1] != "zfs" && m[1] != "zfsprops" && !strings.HasPrefix(m[1], "zfs-") && m[1] != "zpool" && m[1] != "zstd" && !strings.HasPrefix(m[1], "zstream") {
				t.Errorf("%s refers to %s(%s), which is not there", name, m[1], m[2])
			}
		}
	}
}

// manualLists: Ql puts one pair of quotes around all that stands in its line.
// A list of literals would look like one literal.
func manualLists(t *testing.T, texts map[string]string) {
	t.Helper()
	list := regexp.MustCompile(`(?m)^\.(?:\S+ )*[DQ][lq] [^\n]* (?:,|No) \S.*$`)
	for name, text := range texts {
		for _, line := range list.FindAllString(text, -1) {
			t.Errorf("%s: one pair of quotes around a list: %s", name, line)
		}
	}
}

// example is a literal display in a page's EXAMPLES, or in what a long page
// shows early of them.
type example struct {
	page   string
	number int
	mark   string // the comment before it
	text   string
}

var display = regexp.MustCompile(`(?ms)^(?:\.\\" ([^\n]*)\n)?\.Bd -literal[^\n]*\n(.*?)^\.Ed`)

func examples(name, text string) []example {
	_, early, _ := strings.Cut(text, "\n.Ss The commonest uses\n")
	early, _, _ = strings.Cut(early, "\n.Ss ")
	_, text, _ = strings.Cut(text, "\n.Sh EXAMPLES\n")
	text, _, _ = strings.Cut(text, "\n.Sh ")
	var found []example
	for i, m := range display.FindAllStringSubmatch(early+"\n"+text, -1) {
		body := strings.NewReplacer(`\e`, `\`, `\(dq`, `"`, `\&`, "").Replace(m[2])
		found = append(found, example{name, i + 1, m[1], body})
	}
	return found
}

// manualExamples runs every example of every page, one page's in one
// directory and in order, on pools of zfs-sim. A comment before an example
// can say `not run: REASON`, or `printed by the example before`.
func manualExamples(t *testing.T, bin string, texts map[string]string) {
	t.Helper()
	ran, notRun := 0, 0
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, ".5") {
			continue
		}
		var script *sandbox
		last := ""
		for _, e := range examples(name, texts[name]) {
			switch {
			case strings.HasPrefix(e.mark, "not run: "):
				notRun++
				continue
			case e.mark == "printed by the example before":
				if d := cmp.Diff(e.text, last); d != "" {
					t.Errorf("%s: example %d: page -, printed +:\n%s", name, e.number, d)
				}
				continue
			}
			if script == nil {
				script = newSandbox(t, bin)
			}
			ran++
			out, err := script.run(e.text)
			last = string(out)
			if err != nil {
				t.Errorf("%s: example %d: %v\n%s", name, e.number, err, script.stderr)
			}
		}
	}
	t.Logf("%d examples ran, %d are not run", ran, notRun)
}

// manualFiles: a file that a page for developers names is there.
func manualFiles(t *testing.T) {
	var paths []string
	err := fs.WalkDir(os.DirFS(".."), ".", func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, "/"+path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("[`(]([A-Za-z][A-Za-z0-9/_.-]*\\.(?:go|sh|yml|md|[1578]))[`)]")
	for _, page := range []string{"../README.md", "../CONTRIBUTING.md", "../doc/architecture.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			named := func(path string) bool { return strings.HasSuffix(path, "/"+m[1]) }
			if !slices.ContainsFunc(paths, named) {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}

var block = regexp.MustCompile("(?ms)^(?:<!-- not run: ([^\n]*) -->\n)?```sh\n(.*?)^```")

// readmeExamples runs the commands of README, in order. A comment before a
// block can say `not run: REASON`.
func readmeExamples(t *testing.T, bin string) {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, ran := newSandbox(t, bin), 0
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			continue
		}
		ran++
		if out, err := script.run(m[2]); err != nil {
			t.Errorf("README: %s%v: %s%s", m[2], err, out, script.stderr)
		}
	}
	if ran < 5 {
		t.Errorf("README has only %d blocks that can be run", ran)
	}
}

// sandbox is a directory with simulated pools.
type sandbox struct {
	dir    string
	env    []string
	stderr string
}

// The ssh here runs its command on this machine.
const prepare = `
cat > .bin/ssh <<'END'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  case $1 in -[opilFJLRDWbcEeIkmQSwB]) shift ;; esac
  shift
done
shift
exec sh -c "$*"
END
chmod +x .bin/ssh
for pool in tank storage zroot pool; do dd if=/dev/null of=$pool.img bs=1048576 seek=128 2>/dev/null; zpool create $pool $PWD/$pool.img; done
for ds in tank/a tank/db tank/home tank/home/private tank/scratch tank/data zroot/var zroot/var/db zroot/usr \
    zroot/usr/home zroot/usr/home/joe storage/local storage/backups; do zfs create $ds; done
zfs snapshot -r tank@monday
zfs snapshot -r tank@tuesday
zfs send tank/home@monday | zfs receive -u pool/copy
zfs snapshot -r tank@zrepl_20260101_000000_000
zfs snapshot -r zroot@zrepl_20260101_000000_000
zfs snapshot -r zroot@zrepl_20260101_010000_000
cat > zreplctl.yml <<END
global: {rundir: $PWD/run}
jobs:
- name: pull_prod1
  type: pull
  connect: {type: exec, command: [zreplctl, serve, backups.example.com]}
  mapping: {"<": storage/backups/prod1}
  snapshot_prefix: zrepl_
- {name: mirror, type: local, mapping: {"zroot/var/db<": storage/local/db}, snapshot_prefix: zrepl_, shared_prefix: true}
- name: offer_to_backups
  type: source
  serve: {type: stdinserver, client_identity: backups.example.com}
  datasets: {"zroot/var/db<": ok, "zroot/usr/home<": ok}
  snapshot_prefix: zrepl_
  shared_prefix: true
  prune: {policy: grid, grid: 24x1h | 35x1d}
END
`

func newSandbox(t *testing.T, bin string) *sandbox {
	t.Helper()
	dir := t.TempDir()
	tools := filepath.Join(dir, ".bin")
	if err := os.Mkdir(tools, 0o755); err != nil {
		t.Fatal(err)
	}
	for tool, program := range map[string]string{"zfs": "zfs-sim", "zpool": "zfs-sim", "zstd": "zstd-sim"} {
		if err := os.Symlink(filepath.Join(bin, program), filepath.Join(tools, tool)); err != nil {
			t.Fatal(err)
		}
	}
	s := &sandbox{dir: dir, env: []string{
		fmt.Sprintf("PATH=%s:%s:%s", tools, bin, os.Getenv("PATH")),
		"ZFS_SIM_ROOT=" + dir + "/.sim", "ZREPLCTL_CONFIG=" + dir + "/zreplctl.yml",
		"HOME=" + dir, "LC_ALL=C", "TZ=UTC",
	}}
	if err := os.Mkdir(dir+"/.sim", 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := s.run(prepare); err != nil {
		t.Fatalf("%v: %s%s", err, out, s.stderr)
	}
	return s
}

func (s *sandbox) run(script string) ([]byte, error) {
	c := exec.Command("sh", "-e")
	c.Dir, c.Env = s.dir, s.env
	c.Stdin = strings.NewReader(script)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	s.stderr = stderr.String()
	return out, err
}
