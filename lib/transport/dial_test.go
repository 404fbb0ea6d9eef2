package transport

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

func sh(script string) Connect {
	return Connect{Type: TypeExec, Command: []string{"/bin/sh", "-c", script}}
}

func dial(t *testing.T, to Connect) *Conn {
	t.Helper()
	c, err := Dial(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestExec(t *testing.T) {
	c := dial(t, Connect{Type: TypeExec, Command: []string{"cat"}})
	for _, f := range []*os.File{c.In, c.Out} {
		if flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Error("a descriptor is not close-on-exec")
		}
		if flags, _ := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); flags&unix.O_NONBLOCK != 0 {
			t.Error("a descriptor does not block")
		}
	}
	io.WriteString(c.Out, "hello\n")
	if got, err := bufio.NewReader(c.In).ReadString('\n'); got != "hello\n" {
		t.Errorf("%q, %v", got, err)
	}
	if s := c.Wait(); !s.OK() {
		t.Errorf("ended with %s", s)
	}
}

func TestDialRefuses(t *testing.T) {
	for _, to := range []Connect{
		{}, {Type: TypeExec}, {Type: TypeSSH}, {Type: TypeSSH, Host: "-oProxyCommand=x"}, {Type: TypeSSH, Host: "h", User: "-x"},
		{Type: "tcp", Host: "h"}, {Type: TypeExec, Command: []string{"/no/such/program"}},
	} {
		if c, err := Dial(context.Background(), to); err == nil {
			c.Close()
			t.Errorf("%+v was dialled", to)
		}
	}
}

func TestSSHArgs(t *testing.T) {
	args, err := Connect{Type: TypeSSH, Host: "prod1", User: "root", Port: 2222, IdentityFile: "/k", Options: []string{"Compression=yes"}}.sshArgs()
	want := "ssh -T -o Compression=yes -o BatchMode=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=4 -o ConnectTimeout=30 -o ForwardAgent=no -o ForwardX11=no -o ClearAllForwardings=yes -i /k -o IdentitiesOnly=yes -p 2222 -l root -- prod1"
	if got := strings.Join(args, " "); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
}

// TestEnvironment: a daemon's ssh gets PATH and HOME, and no agent.
func TestEnvironment(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "/agent")
	t.Setenv("HOME", "/home/x")
	env := Connect{Type: TypeSSH, Daemon: true}.environment()
	slices.Sort(env)
	if len(env) != 2 || env[0] != "HOME=/home/x" || !strings.HasPrefix(env[1], "PATH=") {
		t.Errorf("%q", env)
	}
	if env := (Connect{Type: TypeSSH}).environment(); env != nil {
		t.Errorf("%q", env)
	}
}

// fakeSSH puts a program named ssh in front of all others.
func fakeSSH(t *testing.T, script string) Connect {
	t.Helper()
	dir := t.TempDir()
	if err := simhost.WriteProgram(filepath.Join(dir, "ssh"), "#!/bin/sh\n"+script+"\n"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return Connect{Type: TypeSSH, Host: "prod1"}
}

// hungUp is what a reader of a lost connection sees.
type hungUp struct{}

func (hungUp) Error() string   { return "the far side hung up" }
func (hungUp) ExitStatus() int { return 75 }

func TestExplain(t *testing.T) {
	ssh := fakeSSH(t, `echo "ssh: connect to host prod1 port 22: Connection refused" >&2; printf '\033[31mred\n' >&2; exit 255`)
	for name, c := range map[string]struct {
		to     Connect
		err    error
		want   string
		status int
	}{
		"ssh":              {ssh, hungUp{}, "ssh prod1: ssh: connect to host prod1 port 22: Connection refused; [31mred (exit status 255)", 75},
		"temporary":        {sh("exit 75"), hungUp{}, "/bin/sh: the far side hung up (exit status 75)", 75},
		"killed":           {sh("kill -9 $$"), hungUp{}, "/bin/sh: the far side hung up (killed by signal 9 (killed))", 75},
		"not found":        {sh("echo no such command >&2; exit 127"), hungUp{}, "/bin/sh: no such command (exit status 127)", 1},
		"no ssh":           {sh("exit 255"), hungUp{}, "/bin/sh: the far side hung up (exit status 255)", 1},
		"quiet":            {sh("exit 0"), hungUp{}, "/bin/sh: the far side hung up", 75},
		"nonsense":         {sh("exit 0"), errors.New("it says hello"), "/bin/sh: it says hello", 1},
		"alive":            {sh("exec cat"), errors.New("it says hello"), "/bin/sh: it says hello", 1},
		"banner":           {sh("echo Welcome to prod1 >&2; exit 0"), errors.New("it says hello"), "/bin/sh: it says hello (standard error: Welcome to prod1)", 1},
		"banner and shell": {sh("echo Welcome to prod1 >&2; exit 127"), errors.New("it says hello"), "/bin/sh: it says hello (exit status 127, standard error: Welcome to prod1)", 1},
		"long banner":      {sh("i=0; while [ $((i+=1)) -lt 99 ]; do echo Welcome to prod1 >&2; done; echo it broke >&2; exit 1"), hungUp{}, "", 1},
		"alive and silent": {sh("exec sleep 60"), hungUp{}, "/bin/sh: the far side hung up", 75},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, c.to)
			if !strings.HasPrefix(name, "alive") {
				<-conn.process.Done() // Explain waits for a second
			}
			err := conn.Explain(c.err)
			var status interface{ ExitStatus() int }
			if c.want == "" && strings.HasSuffix(err.Error(), "; it broke (exit status 1)") {
				c.want = err.Error()
			}
			if !errors.As(err, &status) || err.Error() != c.want || status.ExitStatus() != c.status {
				t.Errorf("%v, want %s", err, c.want)
			}
			if !errors.Is(err, c.err) {
				t.Error("the cause is lost")
			}
			var hint interface{ Hint() string }
			if knows := name == "not found" || name == "banner and shell"; !errors.As(err, &hint) || (hint.Hint() != "") != knows {
				t.Errorf("the hint is %q", hint.Hint())
			}
		})
	}
	if err := dial(t, sh("exec cat")).Explain(nil); err != nil {
		t.Error(err)
	}
}

// TestShell: a shell that reads what was sent first is no server, however it
// ended, and will not become one.
func TestShell(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		err    error
	}{
		"hung up":       {`echo 'sh: 1: {"zframe":1,"zrpc":1: not found' >&2; exit 127`, hungUp{}},
		"silent":        {`cat >/dev/null; echo 'sh: 1: {"zframe":1,"zrpc":1: not found' >&2; exit 127`, hungUp{}},
		"goes on":       {`echo 'exit: Missing }.' >&2; exec sleep 60`, hungUp{}},
		"with a banner": {`echo Welcome >&2; echo 'sh: 1: {zframe:1,zrpc:1: not found' >&2; exit 127`, errors.New("it says Welcome")},
	} {
		to := fakeSSH(t, c.script)
		to.ShellMarks = []string{"Missing }", "zrpc:1"}
		conn := dial(t, to)
		if name == "goes on" { // until it is seen
			if _, err := conn.In.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("a read says %v", err)
			}
		} else if name != "silent" {
			<-conn.process.Done()
		}
		err := conn.Explain(c.err)
		var e *Error
		if !errors.As(err, &e) || e.ExitStatus() != 1 || err.Error() != "ssh prod1: the login there runs a shell, and no zstdinserver" ||
			!strings.Contains(e.Hint(), `command="zstdinserver IDENTITY",restrict`) || !strings.Contains(e.Hint(), "init -key -host prod1 ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefused: what ssh will say again is not to be tried again.
func TestRefused(t *testing.T) {
	for _, said := range []string{"Host key verification failed.", "root@prod1: Permission denied (publickey)."} {
		conn := dial(t, fakeSSH(t, `echo "`+said+`" >&2; exit 255`))
		<-conn.process.Done()
		err := conn.Explain(hungUp{})
		var refused interface {
			ExitStatus() int
			Hint() string
		}
		if !errors.As(err, &refused) || refused.ExitStatus() != 1 || refused.Hint() == "" || !strings.Contains(err.Error(), said) {
			t.Errorf("%v, want %q and a hint", err, said)
		}
	}
}

// TestChangedHost: a host's key that changed is no host that nobody knows.
func TestChangedHost(t *testing.T) {
	conn := dial(t, fakeSSH(t, `echo "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @
Host key verification failed." >&2; exit 255`))
	<-conn.process.Done()
	err := conn.Explain(hungUp{})
	var refused *Error
	if !errors.As(err, &refused) || refused.ExitStatus() != 1 || !strings.Contains(refused.Hint(), "ssh-keygen -R") || strings.Contains(refused.Hint(), "log in") {
		t.Errorf("%v; %s", err, refused.Hint())
	}
}

// TestHeldOpen: a grandchild that keeps stderr, as ssh's ControlPersist does,
// holds up nobody.
func TestHeldOpen(t *testing.T) {
	c := dial(t, sh("sleep 60 & echo lost >&2; exit 255"))
	began := time.Now()
	if s := c.Wait(); s.Code != 255 || s.Stderr != "lost" {
		t.Errorf("%+v", s)
	}
	if d := time.Since(began); d > 45*time.Second {
		t.Errorf("took %s", d)
	}
}

// TestStubborn: a program that ignores the end of its input is ended, with
// its children.
func TestStubborn(t *testing.T) {
	c := dial(t, sh(`trap "" TERM; echo $$; while :; do sleep 1; done`))
	var pid int
	line, _ := bufio.NewReader(c.In).ReadString('\n')
	for _, d := range strings.TrimSpace(line) {
		pid = 10*pid + int(d-'0')
	}
	began := time.Now()
	if s := c.Wait(); s.Signal != syscall.SIGKILL || time.Since(began) > time.Minute {
		t.Errorf("%s after %s", s, time.Since(began))
	}
	for pid > 1 && syscall.Kill(-pid, 0) == nil { // until init has reaped it
		if time.Since(began) > 2*time.Minute {
			t.Fatalf("its group lives (%d)", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestDialCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c, err := Dial(ctx, sh("exec cat"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.In.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a read says %v", err)
	}
	c.Close()
}
