package zfssim

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// faultSandbox has tank/a@one with half a megabyte in it, and a pool back.
func faultSandbox(t *testing.T) *sandbox {
	s := newSandbox(t, "tank", "back")
	s.ok("zfs", "create", "tank/a")
	write(t, s.mnt("tank/a/file"), strings.Repeat("0123456789abcdef", 32<<10))
	s.ok("zfs", "snapshot", "tank/a@one")
	return s
}

func TestFaultFailAtNth(t *testing.T) {
	s := faultSandbox(t)
	s.faults(`on=snapshot n=2 fail=3 message=cannot create snapshot 'x': pool I/O is currently suspended`)
	s.ok("zfs", "snapshot", "tank/a@x1")
	s.ok("zfs", "list")
	_, errs, code := s.run(nil, "zfs", "snapshot", "tank/a@x2")
	if code != 3 || errs != "cannot create snapshot 'x': pool I/O is currently suspended\n" {
		t.Errorf("status %d, %q", code, errs)
	}
	s.ok("zfs", "snapshot", "tank/a@x2")
}

func TestFaultFromEnvironment(t *testing.T) {
	s := faultSandbox(t)
	s.env["ZFS_SIM_FAULTS"] = "match=tank/a from=1 fail; on=zpool n=1 fail"
	for range 2 {
		if _, _, code := s.run(nil, "zfs", "list", "tank/a"); code != 1 {
			t.Errorf("status %d", code)
		}
	}
	if _, _, code := s.run(nil, "zpool", "list"); code != 1 {
		t.Errorf("status %d of zpool", code)
	}
	s.ok("zfs", "list", "tank")
}

func TestFaultSlowAndHang(t *testing.T) {
	s := faultSandbox(t)
	s.faults("on=list slow=150ms", "on=get hang")
	start := time.Now()
	s.ok("zfs", "list")
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("took %v", took)
	}
	c := s.child("zfs", "get", "all", "tank")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		t.Errorf("a command that should hang ended: %v", err)
	case <-time.After(300 * time.Millisecond):
		c.Process.Kill()
		<-done
	}
}

func TestFaultCutAndCorrupt(t *testing.T) {
	s := faultSandbox(t)
	whole := s.ok("zfs", "send", "tank/a@one")
	s.faults("on=send n=1 cut=200000", "on=send n=2 corrupt=200000", "on=receive n=1 cut=200000", "on=receive n=2 corrupt=200000")
	out, _, code := s.run(nil, "zfs", "send", "tank/a@one")
	if code != 1 || out != whole[:200000] {
		t.Errorf("cut send: status %d, %d bytes", code, len(out))
	}
	out, _, code = s.run(nil, "zfs", "send", "tank/a@one")
	if code != 0 || len(out) != len(whole) || out == whole || out[:200000] != whole[:200000] || out[200001:] != whole[200001:] {
		t.Errorf("corrupt send: status %d, %d bytes", code, len(out))
	}
	errs, code := s.recv(whole, "-s", "-u", "back/a")
	if code != 1 || !strings.Contains(errs, "incomplete stream") {
		t.Errorf("cut receive: status %d: %s", code, errs)
	}
	errs, code = s.recv(whole, "-u", "back/b")
	if code != 1 || !strings.Contains(errs, "checksum mismatch") {
		t.Errorf("corrupt receive: status %d: %s", code, errs)
	}
	if errs, code := s.recv(whole, "-u", "back/b"); code != 0 {
		t.Error(errs)
	}
}

// TestFaultRate: half a megabyte takes a quarter of a second each way at 2 MB/s.
func TestFaultRate(t *testing.T) {
	s := faultSandbox(t)
	whole := s.ok("zfs", "send", "tank/a@one")
	least := time.Duration(len(whole)) * time.Second / 2_000_000
	s.faults("on=send n=1 rate=2000000", "on=receive n=1 rate=2000000")
	start := time.Now()
	if slow := s.ok("zfs", "send", "tank/a@one"); slow != whole || time.Since(start) < least {
		t.Errorf("send of %d bytes took %v, at least %v expected", len(slow), time.Since(start), least)
	}
	start = time.Now()
	if errs, code := s.recv(whole, "-u", "back/a"); code != 0 || time.Since(start) < least {
		t.Errorf("receive took %v, at least %v expected: status %d: %s", time.Since(start), least, code, errs)
	}
}

// TestFaultWait: a stream stops at a byte until the rule is gone, each way, and
// then comes to its end as ever.
func TestFaultWait(t *testing.T) {
	s := faultSandbox(t)
	whole := s.ok("zfs", "send", "tank/a@one")
	s.faults("on=send wait=200000")
	c := s.child("zfs", "send", "tank/a@one")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 200000)
	if _, err := io.ReadFull(out, part); err != nil || string(part) != whole[:200000] {
		t.Fatalf("the first 200000 bytes: %v", err)
	}
	more := make(chan []byte, 1)
	go func() { rest, _ := io.ReadAll(out); more <- rest }()
	select {
	case <-more:
		t.Error("it does not wait")
	case <-time.After(100 * time.Millisecond):
		s.faults("on=receive wait=200000")
		if rest := <-more; string(rest) != whole[200000:] {
			t.Errorf("then come %d bytes", len(rest))
		}
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	received := make(chan string, 1)
	go func() { errs, _ := s.recv(whole, "-u", "back/a"); received <- errs }()
	select {
	case errs := <-received:
		t.Errorf("a receive does not wait: %s", errs)
	case <-time.After(100 * time.Millisecond):
		s.faults()
		if errs := <-received; errs != "" {
			t.Error(errs)
		}
	}
	sameTrees(t, s.snapDir("tank/a@one"), s.snapDir("back/a@one"))
}

func TestFaultNoSpace(t *testing.T) {
	s := faultSandbox(t)
	stream := s.ok("zfs", "send", "tank/a@one")
	s.faults("on=receive n=1 nospace=100000", "on=create n=1 nospace")
	errs, code := s.recv(stream, "-u", "back/a")
	if code != 1 || !strings.Contains(errs, "out of space") {
		t.Errorf("status %d: %s", code, errs)
	}
	if _, errs, code := s.run(nil, "zfs", "create", "tank/new"); code != 1 || !strings.Contains(errs, "out of space") {
		t.Errorf("status %d: %s", code, errs)
	}
	if _, _, code := s.run(nil, "zfs", "list", "back/a"); code != 1 {
		t.Error("a receive that ran out of space left a dataset")
	}
}

// TestPoolIsFull fills a small pool for real.
func TestPoolIsFull(t *testing.T) {
	s := faultSandbox(t)
	img := filepath.Join(s.root, "small.img")
	write(t, img, "")
	if err := os.Truncate(img, 64<<20); err != nil {
		t.Fatal(err)
	}
	s.ok("zpool", "create", "small", img)
	write(t, s.mnt("tank/a/file"), strings.Repeat("0123456789abcdef", 512<<10))
	s.ok("zfs", "snapshot", "tank/a@large")
	stream := s.ok("zfs", "send", "tank/a@large")
	for i := range 20 {
		if errs, code := s.recv(stream, "-u", "small/a"+strings.Repeat("x", i)); code != 0 {
			if !strings.Contains(errs, "out of space") || i < 3 {
				t.Errorf("after %d: %s", i, errs)
			}
			return
		}
	}
	t.Error("160 MB went into a pool of 64 MB")
}

// TestFaultKillsCaller lets a shell call the command, and looks whether the
// shell lived and the command took effect.
func TestFaultKillsCaller(t *testing.T) {
	for _, tc := range []struct {
		rule string
		made bool
	}{
		{"on=snapshot kill=before", false},
		{"on=snapshot kill=after", true},
		{"on=receive kill=300000", false},
	} {
		s := faultSandbox(t)
		s.faults(tc.rule)
		script := `"$0" zfs snapshot tank/a@new; echo lived`
		if strings.Contains(tc.rule, "receive") {
			script = `"$0" zfs send tank/a@one | "$0" zfs receive -u tank/b; echo lived`
		}
		child := s.child()
		c := exec.Command("/bin/sh", "-c", script, child.Path)
		c.Env, c.SysProcAttr = child.Env, &syscall.SysProcAttr{Setpgid: true}
		out, err := c.Output()
		if err == nil || strings.Contains(string(out), "lived") {
			t.Errorf("%s: the caller lived: %q, %v", tc.rule, out, err)
		}
		want := strings.Contains(tc.rule, "snapshot")
		name := "tank/a@new"
		if !want {
			name = "tank/b"
		}
		if _, _, code := s.run(nil, "zfs", "list", name); (code == 0) != tc.made {
			t.Errorf("%s: list says %d", tc.rule, code)
		}
	}
}

func TestLogNamesCallers(t *testing.T) {
	s := faultSandbox(t)
	write(t, filepath.Join(s.root, "log"), "")
	child := s.child()
	c := exec.Command("/bin/sh", "-c", `"$0" zfs list tank/a; : a caller; exit 0`, child.Path)
	c.Env = child.Env
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 {
		t.Fatalf("log: %s", data)
	}
	first, last := strings.Split(lines[0], "\t"), strings.Split(lines[1], "\t")
	if first[0] != "start" || first[5] != "zfs list tank/a" || !strings.Contains(first[4], "a caller") || last[0] != "exit" || last[6] != "0" {
		t.Errorf("log: %s", data)
	}
}

func TestAllowedUser(t *testing.T) {
	s := faultSandbox(t)
	s.ok("zfs", "create", "tank/a/kid")
	s.ok("zfs", "allow", "-u", "repl", "send,hold,bookmark", "tank/a")
	s.env["ZFS_SIM_USER"] = "repl"
	s.ok("zfs", "hold", "mine", "tank/a@one")
	s.ok("zfs", "send", "tank/a@one")
	for _, args := range [][]string{
		{"zfs", "snapshot", "tank/a/kid@x"}, {"zfs", "destroy", "-r", "tank/a/kid"}, {"zfs", "create", "tank/b"},
		{"zfs", "release", "mine", "tank/a@one"}, {"zfs", "set", "x:y=1", "tank/a"}, {"zfs", "rollback", "tank/a@one"},
	} {
		if _, errs, code := s.run(nil, args...); code == 0 || !strings.Contains(errs, "permission denied") {
			t.Errorf("%v: status %d: %s", args, code, errs)
		}
	}
	s.env["ZFS_SIM_USER"] = ""
	s.ok("zfs", "snapshot", "tank/a/kid@x")
}

// TestKilledReceiveResumes kills a resumable receive in the middle: what came
// is there, with a token that fits it.
func TestKilledReceiveResumes(t *testing.T) {
	s := faultSandbox(t)
	s.faults("on=receive n=1 kill=300000")
	child := s.child()
	c := exec.Command("/bin/sh", "-c", `"$0" zfs send tank/a@one | "$0" zfs receive -s -u back/a`, child.Path)
	c.Env, c.SysProcAttr = child.Env, &syscall.SysProcAttr{Setpgid: true}
	if err := c.Run(); err == nil {
		t.Fatal("the receive was not killed")
	}
	token := strings.TrimSpace(s.ok("zfs", "get", "-H", "-o", "value", "receive_resume_token", "back/a"))
	k, err := decodeToken(token)
	if err != nil || k.Bytes == 0 || k.Bytes > 300000 {
		t.Errorf("token %+v, %v", k, err)
	}
	rest := s.ok("zfs", "send", "-t", token)
	errs, code := s.recv(rest, "-s", "-u", "back/a")
	for end := time.Now().Add(time.Minute); strings.Contains(errs, "is busy") && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		errs, code = s.recv(rest, "-s", "-u", "back/a") // the killed one is not quite gone
	}
	if code != 0 {
		t.Fatal(errs)
	}
	sameTrees(t, s.snapDir("tank/a@one"), s.snapDir("back/a@one"))
}

// TestBusyWhileSent holds a snapshot by a send that nobody reads.
func TestBusyWhileSent(t *testing.T) {
	s := faultSandbox(t)
	c := s.child("zfs", "send", "tank/a@one")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := s.run(nil, "zfs", "destroy", "tank/a@one"); code == 0 || !strings.Contains(errs, "dataset is busy") {
		t.Errorf("status %d: %s", code, errs)
	}
	out.Close()
	c.Wait()
	s.ok("zfs", "destroy", "tank/a@one")
}
