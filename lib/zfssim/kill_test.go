package zfssim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestKilledAtAnyMoment runs four callers at once, kills a random one of
// their commands with SIGKILL again and again, and checks that every command
// had happened wholly or not at all.
func TestKilledAtAnyMoment(t *testing.T) {
	s := newSandbox(t, "tank", "back")
	for c := range 4 {
		s.ok("zfs", "create", "-p", fmt.Sprintf("tank/c%d/kid", c))
		write(t, s.mnt("tank", fmt.Sprint("c", c), "file"), strings.Repeat("x", 300<<10))
	}
	rounds := heavy(60, 2200) // about half of them end before the kill
	var wg sync.WaitGroup
	callers := make([]*caller, 4)
	for c := range callers {
		callers[c] = &caller{sandbox: s, t: t, id: c, r: rand.New(rand.NewPCG(uint64(c), 9)), rounds: (rounds + 3) / 4}
		wg.Go(callers[c].work)
	}
	wg.Wait()
	killed, before, after := 0, 0, 0
	for _, c := range callers {
		killed, before, after = killed+c.killed, before+c.undone, after+c.done
	}
	t.Logf("%d commands killed: %d had not happened, %d had; %d more ended first", killed, before, after, 4*callers[0].rounds-killed)
	for _, dir := range []string{"tmp", "receiving", "journal"} {
		s.ok("zfs", "set", "x:last=1", "tank")
		if list, _ := os.ReadDir(s.root + "/" + dir); len(list) > 0 {
			t.Errorf("%s has %d entries left over", dir, len(list))
		}
	}
}

// A caller has a dataset of its own, so that it knows what must be there.
type caller struct {
	*sandbox
	t                    *testing.T
	id, rounds           int
	r                    *rand.Rand
	killed, undone, done int
}

func (c *caller) work() {
	for i := range c.rounds {
		before := c.state()
		args, stdin := c.command(i)
		if args == nil {
			continue
		}
		cmd := c.child(args...)
		cmd.Stdin = bytes.NewReader(stdin)
		if !c.killSoon(cmd) {
			continue
		}
		c.killed++
		after := c.state()
		switch {
		case after == before:
			c.undone++
		case c.whole(args, before, after):
			c.done++
		default:
			c.t.Errorf("%v was done in part:\nbefore:\n%s\nafter:\n%s", args, before, after)
		}
	}
}

// killSoon starts a command and kills it within the time it may take.
func (c *caller) killSoon(cmd *exec.Cmd) bool {
	if err := cmd.Start(); err != nil {
		c.t.Error(err)
		return false
	}
	time.Sleep(time.Duration(c.r.IntN(25000)) * time.Microsecond)
	cmd.Process.Kill()
	cmd.Wait()
	return cmd.ProcessState.ExitCode() == -1
}

// state is everything the caller's own datasets have.
func (c *caller) state() string {
	out := ""
	for _, root := range []string{fmt.Sprintf("tank/c%d", c.id), fmt.Sprintf("back/c%d", c.id)} {
		text, errs, code := c.run(nil, "zfs", "list", "-Hp", "-r", "-t", "all", "-o", "name,guid,userrefs,x:mark", root)
		if code != 0 && !strings.Contains(errs, "does not exist") {
			c.t.Errorf("the state does not open: %s", errs)
		}
		out += text
	}
	return out
}

// command chooses what to do next; each kind touches several files.
func (c *caller) command(i int) ([]string, []byte) {
	ds, back := fmt.Sprintf("tank/c%d", c.id), fmt.Sprintf("back/c%d", c.id)
	snap := fmt.Sprintf("@s%d", i)
	have := strings.Fields(c.quiet("zfs", "list", "-H", "-t", "snapshot", "-o", "name", ds))
	switch k := c.r.IntN(7); {
	case k < 2 || len(have) == 0:
		return []string{"zfs", "snapshot", "-r", ds + snap}, nil
	case k == 2:
		return []string{"zfs", "destroy", "-r", have[c.r.IntN(len(have))]}, nil
	case k == 3:
		return []string{"zfs", "hold", "-r", fmt.Sprint("t", i), have[c.r.IntN(len(have))]}, nil
	case k == 4:
		return []string{"zfs", "set", fmt.Sprint("x:mark=", i), ds}, nil
	case k == 5:
		return []string{"zfs", "destroy", "-r", back}, nil
	}
	return []string{"zfs", "receive", "-u", "-o", "x:mark=new", back}, []byte(c.quiet("zfs", "send", have[len(have)-1]))
}

func (c *caller) quiet(args ...string) string {
	out, _, _ := c.run(nil, args...)
	return out
}

// whole says whether after is what a finished command leaves: the same change
// on both datasets of a recursive one.
func (c *caller) whole(args []string, before, after string) bool {
	switch args[1] {
	case "snapshot":
		short := "@" + strings.SplitN(args[3], "@", 2)[1] + "\t"
		return count(after) == count(before)+2 && strings.Count(after, short) == 2
	case "destroy":
		if _, short, ok := strings.Cut(args[3], "@"); ok {
			return !strings.Contains(after, "tank") || strings.Count(without(after, "back/"), "@"+short+"\t") == 0
		}
		return !strings.Contains(after, args[3]+"\t") && !strings.Contains(after, args[3]+"@")
	case "hold":
		_, short, _ := strings.Cut(args[4], "@")
		was, is := linesOf(before, "@"+short+"\t"), linesOf(after, "@"+short+"\t")
		for i := range was {
			if was[i] == is[i] {
				return false
			}
		}
		return len(was) > 0
	case "set":
		return strings.Contains(after, "\t"+strings.TrimPrefix(args[2], "x:mark=")+"\n")
	case "receive":
		return strings.Contains(after, args[len(args)-1]+"@") && strings.Contains(after, "\tnew\n")
	}
	return false
}

func without(text, prefix string) string {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, prefix) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// linesOf picks the lines of the source datasets with a snapshot's name.
func linesOf(text, short string) []string {
	var out []string
	for _, line := range strings.Split(without(text, "back/"), "\n") {
		if strings.Contains(line, short) {
			out = append(out, line)
		}
	}
	return out
}
