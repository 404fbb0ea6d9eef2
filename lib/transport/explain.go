package transport

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// explainGrace is how long Explain waits for a program that may be about to
// say why it ends.
const explainGrace = time.Second

// Error is a connection that could not be made or did not hold.
type Error struct {
	Name   string       // what the connection is: a program, or ssh and a host
	Status child.Status // how its program ended
	Cause  error        // what its user saw
	Later  bool         // it may work later: the link, not the far side's answer
	Shell  bool         // a shell answered, and no server
}

// Error prefers the program's own last words where all that its user saw is
// that it hung up. Otherwise these may be a banner or a message of the day,
// and what its user saw comes first.
func (e *Error) Error() string {
	said := clean.Tail(e.Status.Stderr, 500)
	how := e.Status.String()
	if e.Status.OK() {
		how = "" // it says nothing
	}
	switch {
	case e.Shell:
		return e.Name + ": the login there runs a shell, and no zstdinserver"
	case said != "" && e.Cause != nil && !lost(e.Cause):
		return fmt.Sprintf("%s: %v (%s)", e.Name, e.Cause, and(how, "standard error: "+said))
	case said != "" && e.Cause != nil && how == "":
		return fmt.Sprintf("%s: %v (standard error: %s)", e.Name, e.Cause, said)
	case said != "":
		return fmt.Sprintf("%s: %s (%s)", e.Name, said, e.Status)
	case e.Cause != nil && e.Status.OK():
		return fmt.Sprintf("%s: %v", e.Name, e.Cause)
	case e.Cause != nil:
		return fmt.Sprintf("%s: %v (%s)", e.Name, e.Cause, e.Status)
	}
	return fmt.Sprintf("%s: %s", e.Name, e.Status)
}

// lost reports whether an error says no more than that the link is gone.
func lost(err error) bool {
	later, ok := errors.AsType[interface {
		error
		ExitStatus() int
	}](err)
	return ok && later.ExitStatus() == 75
}

func and(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

func (e *Error) Unwrap() error { return e.Cause }

// ExitStatus is 75, try again later, where that may help.
func (e *Error) ExitStatus() int {
	if e.Later {
		return tryLater
	}
	return 1
}

// What ssh says with exit status 255 where trying again is of no use, and what
// to do about it.
const (
	changedHost = "REMOTE HOST IDENTIFICATION HAS CHANGED"
	unknownHost = "Host key verification failed"
	deniedKey   = "Permission denied ("
)

func refused(stderr string) bool {
	return strings.Contains(stderr, unknownHost) || strings.Contains(stderr, deniedKey)
}

// Hint is what a person can do about it.
func (e *Error) Hint() string {
	switch said := e.Status.Stderr; {
	case e.Shell:
		return fmt.Sprintf("in that login's authorized_keys, write command=\"zstdinserver IDENTITY\",restrict before the key: zreplctl init -key -host %s -client IDENTITY prints the whole line; IDENTITY is the client_identity of the job there", e.host())
	case strings.Contains(said, changedHost):
		return "the host has another key than before: if it was set up anew, remove the old one with ssh-keygen -R; if not, somebody may be in between"
	case strings.Contains(said, unknownHost):
		return "log in once by hand as this user, with the same host name and port, so that ssh knows the host's key"
	case strings.Contains(said, deniedKey):
		return "is the key's line in the other host's authorized_keys? zreplctl init -key -host " + e.host() + " -client IDENTITY prints it again; IDENTITY is the client_identity of the job there"
	case e.Status.Code == 127:
		return "write the program's full path into command= of authorized_keys"
	}
	return ""
}

// host is the other host, for a command to type.
func (e *Error) host() string {
	host, ok := strings.CutPrefix(e.Name, "ssh ")
	if !ok || strings.ContainsAny(host, " \t") {
		return "HOST"
	}
	return host
}

// Explain closes a connection on which err was seen, and says why that was:
// by the exit status and the last words of its program. ssh's own exit status
// for a link that it could not make or that it lost, 255, is temporary; 75 of
// any program is, too. A shell in the server's place stays one.
func (c *Conn) Explain(err error) error {
	if err == nil {
		return nil
	}
	select {
	case <-c.process.Done():
	case <-time.After(explainGrace):
	}
	ended := false
	select {
	case <-c.process.Done():
		ended = true
	default:
	}
	status := c.Wait()
	if !ended { // it was we who ended it: its status says nothing
		status = child.Status{Stderr: status.Stderr}
	}
	e := &Error{Name: c.name, Status: status, Cause: err}
	e.Shell = c.isShell(status.Stderr)
	temporary, ok := err.(interface{ ExitStatus() int })
	switch {
	case e.Shell:
	case ended && c.ssh && status.Code == 255:
		e.Later = !refused(status.Stderr)
	case ended && status.Code == 75, status.Signal != 0:
		e.Later = true
	case ended && status.Code == 0, !ended:
		e.Later = ok && temporary.ExitStatus() == 75
	}
	return e
}
