package job_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim"
)

// pool is a machine with datasets that must not change: of a person, of
// another client, and beside the root with a name that begins as the root's.
// Its zfs commands run in this process.
type pool struct {
	*world
	number atomic.Int64 // of files
}

const forgerJobs = `
global: {rundir: DIR/run}
jobs:
- {name: sink, type: push-sink, serve: {type: stdinserver, client_identity: pusher}, root: b/sink/pusher}
- {name: sink2, type: push-sink, serve: {type: stdinserver, client_identity: other}, root: b/sink/pusher2}
- name: fetch
  type: pull
  connect: {type: exec, command: [zstdinserver, -sockdir, SOCK, evil]}
  mapping: {"a<": b/pull}
`

func newPool(t *testing.T, sock string) *pool {
	p := &pool{world: &world{t: t, dir: t.TempDir()}}
	text := strings.NewReplacer("DIR", p.dir, "SOCK", sock).Replace(forgerJobs)
	p.write("c.yml", text)
	for _, name := range []string{"a", "b"} {
		p.write(name+".img", "")
		if err := os.Truncate(p.path(name+".img"), 4<<30); err != nil {
			t.Fatal(err)
		}
		p.zfs("zpool create -R", p.path("mnt"), name, p.path(name+".img"))
	}
	for _, ds := range []string{"b/sink", "b/sink/pusher", "b/sink/pusher2", "b/sink/pusher2/x", "b/sink/pusher-live", "b/pull", "b/foreign", "b/foreign/kid", "a/fs"} {
		p.zfs("zfs create", ds)
	}
	for _, ds := range []string{"b/foreign", "b/foreign/kid", "b/sink/pusher-live", "b/sink/pusher2/x"} {
		p.content(ds, "dear "+ds)
		p.zfs("zfs snapshot", ds+"@dear")
	}
	p.zfs("zfs hold keep b/foreign@dear")
	p.zfs("zfs set user:mine=1 compression=lz4 quota=1G b/foreign")
	p.zfs("zfs clone b/foreign@dear b/clone")
	p.zfs("zfs bookmark b/foreign@dear b/foreign#mark")
	p.zfs("zfs snapshot b/sink/pusher@top b/pull@top")
	return p
}

// simulate runs zfs or zpool in this process.
func (p *pool) simulate(stdin []byte, args ...string) (out string, code int) {
	var in *os.File
	if stdin != nil {
		path := p.path(fmt.Sprintf("in%d", p.number.Add(1)))
		if err := os.WriteFile(path, stdin, 0o600); err != nil {
			p.t.Fatal(err)
		}
		defer os.Remove(path)
		f, err := os.Open(path)
		if err != nil {
			p.t.Fatal(err)
		}
		defer f.Close()
		in = f
	}
	env := func(name string) string { return map[string]string{"ZFS_SIM_ROOT": p.path("sim")}[name] }
	var text, errs bytes.Buffer
	code = zfssim.Run(zfssim.Command{Args: append([]string{"zfs-sim"}, args...), Env: env, Stdin: in, Stdout: &text, Stderr: &errs})
	if code != 0 {
		return errs.String(), code
	}
	return text.String(), code
}

// zfs runs a command that has to work. The first argument is split.
func (p *pool) zfs(command string, more ...string) string {
	p.t.Helper()
	args := append(strings.Fields(command), more...)
	out, code := p.simulate(nil, args...)
	if code != 0 {
		p.t.Fatalf("%q: status %d: %s", args, code, out)
	}
	return out
}

// receive gives a stream to zfs receive.
func (p *pool) receive(stream []byte, command string) {
	p.t.Helper()
	if out, code := p.simulate(stream, append([]string{"zfs", "receive", "-u"}, strings.Fields(command)...)...); code != 0 {
		p.t.Fatalf("receive %s: %s", command, out)
	}
}

func (p *pool) content(ds, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.path("mnt"), ds, "file"), bytes.Repeat([]byte(text+"\n"), 200), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pool) guid(name string) dataset.GUID {
	p.t.Helper()
	n, err := strconv.ParseUint(strings.TrimSpace(p.zfs("zfs get -Hp -o value guid", name)), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return dataset.GUID(n)
}

// ofSpace are properties that tell how much space something takes, and change
// where somebody else writes.
var ofSpace = []string{"used", "available", "usedbychildren", "usedbydataset", "usedbysnapshots", "logicalused", "mounted", "compressratio"}

// picture is all that the pool b has, but what ours says is not to be looked
// at: datasets, snapshots, bookmarks, guids, origins, properties of any
// source, holds.
func (p *pool) picture(ours func(name string) bool) []string {
	p.t.Helper()
	var names, snaps, lines []string
	for line := range strings.Lines(p.zfs("zfs list -Hp -r -t all -o name,type,guid,createtxg,origin b")) {
		name, _, _ := strings.Cut(line, "\t")
		if ours(name) {
			continue
		}
		lines = append(lines, strings.TrimSpace(line))
		if strings.Contains(name, "@") {
			snaps = append(snaps, name)
		}
		names = append(names, name)
	}
	for line := range strings.Lines(p.zfs("zfs get -Hp -o name,property,value,received,source all", names...)) {
		if f := strings.Split(line, "\t"); !slices.Contains(ofSpace, f[1]) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	for line := range strings.Lines(p.zfs("zfs holds -H", snaps...)) {
		f := strings.Split(line, "\t")
		lines = append(lines, "hold "+f[0]+" "+f[1])
	}
	return lines
}

// different is what one picture has and the other has not.
func different(before, after []string) []string {
	var out []string
	for _, l := range before {
		if !slices.Contains(after, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			out = append(out, "+ "+l)
		}
	}
	return out
}

// within reports whether name is a dataset, what is below it, or a snapshot
// or bookmark of either.
func within(name, ds string) bool {
	rest, ok := strings.CutPrefix(name, ds)
	return ok && (rest == "" || strings.ContainsRune("/@#", rune(rest[0])))
}

// ourOwn are the properties that the receiver itself may set on a copy.
var ourOwn = []string{"readonly", "canmount", "mountpoint", "setuid", "devices", "exec", "volmode", "snapdev", "sharenfs", "sharesmb",
	"volsize", "zreplctl:send", "zreplctl:placeholder", "keylocation"}

// judgeTarget looks at what became of a target: the snapshots that it had
// before, then some of those that were asked for and no others, in order, with
// their guids; no clone, nothing below, no property that is not ours. It
// reports whether all that was asked for has arrived.
func (p *pool) judgeTarget(target string, had, brings []transfer.Brought) (arrived bool, wrong []string) {
	p.t.Helper()
	list, code := p.simulate(nil, "zfs", "list", "-Hp", "-r", "-t", "all", "-s", "createtxg", "-o", "name,type,guid,origin", target)
	if code != 0 {
		return false, nil
	}
	want := slices.Concat(had, brings)
	n := 0
	var names []string
	for line := range strings.Lines(list) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		names = append(names, f[0])
		switch {
		case f[0] == target && (f[1] == "filesystem" || f[1] == "volume") && f[3] == "-":
		case f[1] == "snapshot" && n < len(want) && f[0] == target+"@"+want[n].Name && f[2] == want[n].GUID.String():
			n++
		default:
			wrong = append(wrong, "unexpected: "+strings.TrimSpace(line))
		}
	}
	if n < len(had) {
		wrong = append(wrong, fmt.Sprintf("only %d of the %d snapshots that it had", n, len(had)))
	}
	for line := range strings.Lines(p.zfs("zfs get -Hp -o name,property,value,received,source all", names...)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[3] != "-" || f[4] == "local" && !slices.Contains(ourOwn, f[1]) {
			wrong = append(wrong, "property: "+strings.TrimSpace(line))
		}
	}
	for _, name := range names {
		if !strings.Contains(name, "@") {
			continue
		}
		for line := range strings.Lines(p.zfs("zfs holds -H", name)) {
			if f := strings.Split(line, "\t"); !strings.HasPrefix(f[1], "zreplctl_last_") {
				wrong = append(wrong, "hold: "+strings.TrimSpace(line))
			}
		}
	}
	return n == len(want), wrong
}
