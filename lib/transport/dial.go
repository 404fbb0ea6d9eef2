// Package transport makes connections to another host's server: a pair of
// descriptors, one to read and one to write.
//
// Dial starts a program whose standard input and output are the connection,
// usually ssh(1). Listen and Pass are the other end: a socket at which
// zstdinserver(8) hands over the descriptors that sshd gave it. All
// descriptors are blocking and close-on-exec. The package neither reads from
// nor writes to them.
package transport

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
)

// The types of connection.
const (
	TypeSSH  = "ssh+stdinserver"
	TypeExec = "exec"
)

// endGrace is how long a connection's program has to end by itself once its
// descriptors are closed.
const endGrace = 2 * time.Second

// Connect says how to reach a server.
type Connect struct {
	Type         string   // TypeSSH or TypeExec
	Host         string   // ssh: a name or an address, or a Host of ssh_config(5)
	User         string   // ssh: optional
	Port         int      // ssh: optional
	IdentityFile string   // ssh: optional; the only key that is offered
	Options      []string // ssh: each goes behind -o
	Command      []string // exec: the program and its arguments
	Daemon       bool     // ssh: with nothing of our environment but PATH and HOME
	// ShellMarks are in what shells say on their standard error, but for double
	// quotes, if they read what is sent first; none: that is not known.
	ShellMarks []string
}

// Conn is a connection. In and Out are its descriptors. They can be given to
// children, and stay open until Close.
type Conn struct {
	In, Out *os.File

	name    string // of the connection, in errors
	ssh     bool
	marks   []string // Connect.ShellMarks
	process *child.Process
	once    sync.Once
	ended   child.Status
	end     context.CancelFunc
}

// Dial starts the program. That it could be started says nothing about the
// other end: a host that can't be reached is seen by the first read, and
// Explain says why. Cancelling ctx ends the connection, at any time. The
// caller must call Close.
func Dial(ctx context.Context, to Connect) (*Conn, error) {
	args, err := to.args()
	if err != nil {
		return nil, err
	}
	c := &Conn{name: args[0], ssh: to.Type == TypeSSH, marks: to.ShellMarks}
	if c.ssh {
		c.name = "ssh " + to.Host
	}
	theirIn, out, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	in, theirOut, err := child.Pipe()
	if err != nil {
		out.Close()
		return nil, err
	}
	defer theirOut.Close()
	c.In, c.Out = in, out
	ctx, c.end = context.WithCancel(ctx)
	tail := &child.Tail{Max: 4 << 10}
	c.process, err = child.Start(ctx, child.Cmd{
		Args: args, Env: to.environment(), Stdin: theirIn, Stdout: theirOut,
		Stderr: tail, StderrCopy: &shellWatch{c, tail}, Group: true,
	})
	if err != nil {
		c.end()
		return nil, errors.Join(err, in.Close(), out.Close())
	}
	return c, nil
}

func (to Connect) args() ([]string, error) {
	switch to.Type {
	case TypeExec:
		if len(to.Command) == 0 || to.Command[0] == "" {
			return nil, errors.New("cannot connect: no command")
		}
		return append([]string{beside(to.Command[0])}, to.Command[1:]...), nil
	case TypeSSH:
		return to.sshArgs()
	}
	return nil, fmt.Errorf("cannot connect: unknown type %q", to.Type)
}

// sshArgs: see ssh(1). A dead peer is noticed after a minute; a question that
// nobody would see is an error; the server, which need not be a friend, gets
// no agent, display or port, whatever ssh_config(5) says; the options of the configuration come first,
// because ssh takes the first value of each.
func (to Connect) sshArgs() ([]string, error) {
	if to.Host == "" || strings.HasPrefix(to.Host, "-") || strings.HasPrefix(to.User, "-") {
		return nil, fmt.Errorf("cannot connect to %q: not a host", to.Host)
	}
	args := []string{"ssh", "-T"}
	for _, o := range to.Options {
		args = append(args, "-o", o)
	}
	args = append(args, "-o", "BatchMode=yes", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4", "-o", "ConnectTimeout=30",
		"-o", "ForwardAgent=no", "-o", "ForwardX11=no", "-o", "ClearAllForwardings=yes")
	if to.IdentityFile != "" {
		args = append(args, "-i", to.IdentityFile, "-o", "IdentitiesOnly=yes")
	}
	if to.Port != 0 {
		args = append(args, "-p", strconv.Itoa(to.Port))
	}
	if to.User != "" {
		args = append(args, "-l", to.User)
	}
	return append(args, "--", to.Host), nil
}

// environment is nil for ours.
func (to Connect) environment() []string {
	if !to.Daemon || to.Type != TypeSSH {
		return nil
	}
	env := []string{}
	for _, name := range []string{"PATH", "HOME"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// beside prefers a program of the folder that ours is in, so that programs of
// one build use each other.
func beside(name string) string {
	own, err := os.Executable()
	if err != nil || strings.ContainsRune(name, '/') {
		return name
	}
	path := filepath.Join(filepath.Dir(own), name)
	if _, err := exec.LookPath(path); err != nil {
		return name
	}
	return path
}

// Close closes both descriptors and waits for the program to end; it is
// killed if it does not do so soon. Closing twice does nothing.
func (c *Conn) Close() error {
	c.Wait()
	return nil
}

// Wait closes the connection and tells how its program ended.
func (c *Conn) Wait() child.Status {
	c.once.Do(func() {
		c.In.Close()
		c.Out.Close()
		select {
		case <-c.process.Done():
		case <-time.After(endGrace):
			c.process.Signal(syscall.SIGTERM)
			select {
			case <-c.process.Done():
			case <-time.After(endGrace):
			}
		}
		c.process.Kill() // what is left of its group
		c.ended = c.process.Wait()
		c.end()
	})
	return c.ended
}
