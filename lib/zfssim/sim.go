package zfssim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A Command is one call of the program, as main received it.
type Command struct {
	Args           []string // with the program's name first
	Env            func(string) string
	Stdin          *os.File
	Stdout, Stderr io.Writer
}

// A cmd is a running command.
type cmd struct {
	root    string
	version string // of OpenZFS: 2.1, 2.3 or 2.4
	env     func(string) string
	in      *os.File
	out     io.Writer
	err     io.Writer
	faults  *faults
	denied  string // why the last thing that was asked for is not permitted
}

// Run does what the command says and returns its exit status.
func Run(c Command) int {
	if len(c.Args) == 2 && (c.Args[1] == "-h" || c.Args[1] == "--help") && !named(c.Args[0]) {
		io.WriteString(c.Stdout, help)
		return 0
	}
	root, err := filepath.Abs(c.Env("ZFS_SIM_ROOT"))
	if err != nil || c.Env("ZFS_SIM_ROOT") == "" {
		fmt.Fprintln(c.Stderr, "zfs-sim: ZFS_SIM_ROOT does not name a directory")
		return 2
	}
	z := &cmd{root: root, version: c.Env("ZFS_SIM_VERSION"), env: c.Env, in: c.Stdin, out: c.Stdout, err: c.Stderr}
	if z.version == "" {
		z.version = "2.3"
	}
	args := append([]string{filepath.Base(c.Args[0])}, c.Args[1:]...)
	if !named(c.Args[0]) {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(c.Stderr, "usage: zfs-sim zfs|zpool|fill …, or call it by the name zfs or zpool; see zfs-sim -h")
		return 2
	}
	return z.dispatch(args)
}

// named reports whether the program was called by the name of a real one.
func named(program string) bool {
	name := filepath.Base(program)
	return name == "zfs" || name == "zpool" || name == "mount" || name == "umount"
}

const help = `usage: zfs-sim zfs|zpool argument ...
       zfs-sim fill PARENT DATASETS SNAPSHOTS [PREFIX [SEED]]

zfs-sim is zfs and zpool over a directory, for tests and to try things. Link it to
the names zfs and zpool, in a folder that stands first in $PATH:

  mkdir -p sim && ln -sf "$(command -v zfs-sim)" sim/zfs && ln -sf zfs sim/zpool
  export PATH=$PWD/sim:$PATH ZFS_SIM_ROOT=$(mktemp -d)
  truncate -s 1G "$ZFS_SIM_ROOT/a.img"
  zpool create -R "$ZFS_SIM_ROOT/mnt" tank "$ZFS_SIM_ROOT/a.img"

Linked to the names mount and umount, too, it puts a copy of what a snapshot holds
into an empty folder, and removes that: mount -t zfs -o ro tank/a@b FOLDER.

fill makes so many datasets below PARENT, each with so many snapshots, at once.

environment:
  ZFS_SIM_ROOT     the directory; required
  ZFS_SIM_VERSION  the OpenZFS to be like: 2.1, 2.3 (the default) or 2.4
  ZFS_SIM_FAULTS   rules for faults, as in the file faults of the directory, such
                   as "on=send n=2 cut=100000" or "on=receive fail"
  ZFS_SIM_LOG      a file for the log of all commands
  ZFS_SIM_USER     the user for whom zfs allow counts
  ZFS_SIM_NOW      the time of snapshots and holds, in seconds since 1970
  ZFS_SIM_CHANGED  that of snapshots_changed
`

func (z *cmd) dispatch(args []string) int {
	switch args[0] {
	case "zfs":
		return z.withFaults(args, func() int { return z.zfs(args[1:]) })
	case "zpool":
		return z.withFaults(args, func() int { return z.zpool(args[1:]) })
	case "fill":
		return z.fill(args[1:])
	case "mount":
		return z.mountProgram(args[1:])
	case "umount":
		return z.umountProgram(args[1:])
	}
	return z.fail(2, "zfs-sim: unknown command %q", args[0])
}

func (z *cmd) zfs(args []string) int {
	if len(args) == 0 {
		return z.usage("missing command")
	}
	run, ok := zfsCommand(args[0])
	switch {
	case args[0] == "version" || args[0] == "-V" || args[0] == "--version":
		fmt.Fprintf(z.out, "zfs-%s.0-sim\nzfs-kmod-%s.0-sim\n", z.version, z.version)
		return 0
	case args[0] == "-?" || args[0] == "--help" || args[0] == "help":
		z.printUsage(z.out)
		return 0
	case !ok:
		return z.usage("unrecognized command '%s'", args[0])
	}
	return run(z, args[1:])
}

// fail prints one line and returns code.
func (z *cmd) fail(code int, format string, a ...any) int {
	fmt.Fprintf(z.err, format+"\n", a...)
	return code
}

// usage prints a complaint and how to use the command.
func (z *cmd) usage(format string, a ...any) int {
	fmt.Fprintf(z.err, format+"\n", a...)
	z.printUsage(z.err)
	return 2
}

func (z *cmd) printUsage(w io.Writer) {
	fmt.Fprint(w, "usage: see zfs(8) or zpool(8); zfs-sim knows the subcommands and flags that replication touches\n")
}

// open begins a command's transaction.
func (z *cmd) open(write bool) (*tx, int) {
	s, err := openStore(z.root, write)
	if err != nil {
		return nil, z.fail(1, "zfs-sim: cannot open %q: %v", z.root, err)
	}
	return &tx{
		store: s, write: write, trait: z.trait(), now: z.now(), clock: z.timeOf("ZFS_SIM_CHANGED"),
		pools: map[string]*pool{}, sets: map[string]*ds{}, kids: map[string][]string{},
	}, 0
}

// change runs f on the exclusively opened store and commits what it did
// unless it reports failure by a negative status.
func (z *cmd) change(f func(*tx) int) int {
	t, code := z.open(true)
	if code != 0 {
		return code
	}
	defer t.end()
	code = f(t)
	if code < 0 {
		return -code
	}
	if err := z.commit(t); err != nil {
		return z.fail(1, "zfs-sim: cannot write the state: %v", err)
	}
	return code
}

func (z *cmd) commit(t *tx) error { return t.finish() }

// look runs f on the store opened for reading.
func (z *cmd) look(f func(*tx) int) int {
	t, code := z.open(false)
	if code != 0 {
		return code
	}
	defer t.end()
	return f(t)
}

// end lets go of the lock and of what was staged and not used.
func (t *tx) end() {
	if t.hold != nil {
		removeAll(t.tmp)
		t.hold.Close()
	}
	t.close()
}

// staged returns a new path for something that is to be moved into place.
func (t *tx) staged() (string, error) {
	if t.hold == nil {
		dir, f, err := t.stage()
		if err != nil {
			return "", err
		}
		t.tmp, t.hold = dir, f
	}
	return os.MkdirTemp(t.tmp, "")
}

func newGUID() uint64 {
	for {
		if g := rand.Uint64(); g > 1<<32 {
			return g
		}
	}
}

// now is the time in seconds since 1970, or what ZFS_SIM_NOW says it is.
func (z *cmd) now() int64 { return z.timeOf("ZFS_SIM_NOW") }

// timeOf is what the environment says, or now.
func (z *cmd) timeOf(name string) int64 {
	if n, err := strconv.ParseInt(z.env(name), 10, 64); err == nil {
		return n
	}
	return time.Now().Unix()
}
