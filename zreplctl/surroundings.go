package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transport"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/hook"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// surroundings looks for what the configuration names on this host: files,
// programs and pools. All of it may come later, and so it makes warnings.
func surroundings(ctx context.Context, c *config.Config) []*config.Problem {
	all := configFile(c.Path)
	for _, path := range c.Files[1:] {
		all = append(all, configFile(path)...)
	}
	pools := importedPools(ctx)
	for _, j := range c.Jobs {
		if j.Connect != nil {
			all = append(all, connection(c, j)...)
		}
		all = append(all, hookPrograms(c, j)...)
		if j.AsksToCompress() {
			if err := j.Compress.Works(); err != nil {
				all = append(all, c.Problem(j, "compress", fmt.Sprintf("compress: streams are not compressed: %v", err)))
			}
		}
		if pools != nil {
			all = append(all, missingPools(c, j, pools)...)
		}
	}
	all = append(all, stateDir(c)...)
	return append(all, leftFiles(c)...)
}

// leftFiles warns of what the state directory keeps of jobs and clients that
// are not in the configuration, and of jobs that seem to have a new name.
func leftFiles(c *config.Config) []*config.Problem {
	all := orphans(c)
	former := map[string]bool{}
	for _, j := range c.Jobs {
		if old := job.FormerName(c, j); old != "" {
			former[old] = true
			all = append(all, c.Problem(j, "name", renamedText(j, old)))
		}
	}
	told := map[string]bool{}
	for _, l := range job.Removed(c) {
		if former[l.Name] || told[l.Name] {
			continue
		}
		told[l.Name] = true
		if j, client := job.ServedNow(c, l); j != nil {
			all = append(all, c.Problem(j, "name", servedText(c, l, j, client)))
			continue
		}
		what := "job"
		if l.Client {
			what = "client"
		}
		all = append(all, &config.Problem{File: c.Path, Message: fmt.Sprintf("statedir: no %s here has the name %q, and its files are there, the last one written %s: "+
			"if it was removed for good, zreplctl forget %s removes them", what, l.Name, l.Newest.Format("2006-01-02 15:04"), l.Name)})
	}
	return all
}

// renamedText says what to type if a job has another name than before.
func renamedText(j *config.Job, old string) string {
	first := ""
	if j.Type != config.Local {
		first = "run zreplctl forget with the name of the serving job on the other host, and then "
	}
	return fmt.Sprintf("it never succeeded, and job %q, which is not here any more, had these datasets: if it was renamed, name it %q again, or %srun here "+
		"zreplctl %s %s, zreplctl holds -release %s and zreplctl forget %s", old, old, first, j.Type, j.Name, old, old)
}

// servedText says what to type if a job that serves has another name than
// before.
func servedText(c *config.Config, l state.Left, j *config.Job, client string) string {
	if client == "" {
		return fmt.Sprintf("it never received anything, and push-sink %q is not here any more: if it was renamed, name it %q again, or, "+
			"when a run of its client has succeeded, run zreplctl holds -release %s and zreplctl forget %s", l.Name, l.Name, l.Name, l.Name)
	}
	return fmt.Sprintf("it serves client %q of job %q, which is not here any more: if it was renamed, name it %q again, or, "+
		"when a run of that client has succeeded, remove %q and run zreplctl forget %s", client, l.Name, l.Name, chainsOf(c, l.Name, client), l.Name)
}

// chainsOf are the files that name a client of a removed job, as a pattern.
func chainsOf(c *config.Config, name, client string) string {
	return state.Of(c.Global).Path(name+"@"+client) + ".chains*"
}

// stateDir warns of a directory into which no run could write. A missing one is
// made, and whose it is says who runs the jobs.
func stateDir(c *config.Config) []*config.Problem {
	dir := c.Global.StateDir
	info, err := os.Stat(dir)
	switch {
	case dir == "" || errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && !info.IsDir():
		err = syscall.ENOTDIR
	case err == nil:
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() && os.Geteuid() != 0 {
			return nil
		}
		err = unix.Access(dir, unix.W_OK)
	}
	if err == nil || errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 && info == nil {
		return nil // it is another user's
	}
	return []*config.Problem{{File: c.Path, Message: fmt.Sprintf("statedir: runs cannot write into %q: %v", dir, pathCause(err))}}
}

// orphans warns of hooks that a job left to its next run and that is not in the
// configuration any more.
func orphans(c *config.Config) (all []*config.Problem) {
	dir := state.Of(c.Global)
	for _, name := range hook.Orphans(dir, c.Jobs) {
		do := "do by hand what they do"
		var commands []string
		for _, command := range hook.Left(dir, name) {
			commands = append(commands, fmt.Sprintf("%q", command))
		}
		if len(commands) > 0 {
			do = "run by hand " + clean.Line(strings.Join(commands, ", "), maxShown)
		}
		all = append(all, &config.Problem{File: c.Path, Message: fmt.Sprintf("job %q is not here any more, and did not finish its "+
			"after_snapshot and after hooks: %s, and remove %q", name, do, dir.Path(name+".hooks"))})
	}
	return all
}

// configFile warns of a file that others can change: it says which programs
// zreplctl runs.
func configFile(path string) (all []*config.Problem) {
	for _, part := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(part)
		if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
			continue // standard input, or a pipe
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
		why := ""
		switch {
		case info.Mode().Perm()&0o022 != 0 && !sticky:
			why = fmt.Sprintf("others can write it (mode %04o)", info.Mode().Perm())
		case ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
			why = fmt.Sprintf("it belongs to another user (uid %d)", stat.Uid)
		default:
			continue
		}
		text := why + ", who could run any command as the user of zreplctl"
		if info.IsDir() {
			text = fmt.Sprintf("directory %q: %s", part, text)
		}
		all = append(all, &config.Problem{File: path, Message: text})
	}
	return all
}

// connection looks for a connection's key, or its program.
func connection(c *config.Config, j *config.Job) []*config.Problem {
	key, why := "connect: identity_file", ""
	switch {
	case j.Connect.Type == transport.TypeExec:
		key = "connect: command"
		if _, err := exec.LookPath(j.Connect.Command[0]); err != nil {
			why = fmt.Sprintf("connect: command: cannot find program %q", j.Connect.Command[0])
		}
	case j.Connect.IdentityFile != "":
		if err := identityFile(j.Connect.IdentityFile); err != nil {
			why = fmt.Sprintf("connect: identity_file: %q: %v", j.Connect.IdentityFile, err)
		}
	}
	if why == "" {
		return nil
	}
	return []*config.Problem{c.Problem(j, key, why)}
}

// hookPrograms looks for the programs of a job's hooks.
func hookPrograms(c *config.Config, j *config.Job) (all []*config.Problem) {
	for _, h := range slices.Concat(j.Hooks.Before, j.Hooks.BeforeSnapshot, j.Hooks.AfterSnapshot, j.Hooks.After) {
		if _, err := exec.LookPath(h.Command[0]); err != nil {
			all = append(all, c.Problem(j, "hooks", fmt.Sprintf("hooks: cannot find program %q", h.Command[0])))
		}
	}
	return all
}

// identityFile says why ssh would not use a key.
func identityFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return pathCause(err)
	case !info.Mode().IsRegular():
		return errors.New("it is no file")
	case strings.HasSuffix(path, ".pub"):
		return errors.New("it is the public half of a key: name the other file")
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others can read it (mode %04o), and ssh ignores such a key: chmod 600", info.Mode().Perm())
	}
	f, err := os.Open(path)
	if err != nil {
		return pathCause(err)
	}
	return f.Close()
}

// poolsPatience is how long zfs may take to list the pools: where one is
// suspended it may not answer at all.
const poolsPatience = 10 * time.Second

// importedPools is nil where zfs cannot be run.
func importedPools(ctx context.Context) []string {
	z, err := zfs.Find()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, poolsPatience)
	defer cancel()
	pools, err := z.Pools(ctx)
	if err != nil {
		return nil
	}
	return append([]string{}, pools...)
}

// missingPools warns of the pools that a job's rules name on this host.
func missingPools(c *config.Config, j *config.Job, pools []string) (all []*config.Problem) {
	told := map[string]bool{}
	look := func(key string, names []string) {
		for _, name := range names {
			pool := dataset.Pool(name)
			if told[pool] || slices.Contains(pools, pool) {
				continue
			}
			told[pool] = true
			all = append(all, c.Problem(j, key, fmt.Sprintf("%s: pool %q does not exist here, or is not imported", key, pool)))
		}
	}
	for _, side := range j.Sides() {
		look(side.Key, side.Named)
	}
	return all
}
