// Package systemd tells the manager of services how the daemon is, by the
// protocol of sd_notify(3). Without such a manager it tells nobody.
package systemd

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Manager is who started us. The zero value is nobody.
type Manager struct {
	socket   string
	watchdog time.Duration
}

// Find finds the manager in the environment, from which it is removed: it is
// not for our children.
func Find() Manager {
	m := Manager{socket: os.Getenv("NOTIFY_SOCKET")}
	usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if pid := os.Getenv("WATCHDOG_PID"); err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		m.watchdog = time.Duration(usec) * time.Microsecond
	}
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
	if !strings.HasPrefix(m.socket, "/") && !strings.HasPrefix(m.socket, "@") {
		m.socket = ""
	}
	return m
}

// Sockets are those at which the manager listens for us, as sd_listen_fds(3) has
// them. They are removed from the environment: they are not for our children.
func Sockets() (all []*os.File) {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	ours := os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid())
	for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
	if err != nil || !ours {
		return nil
	}
	const first, most = 3, 64
	for fd := first; fd < first+min(n, most); fd++ {
		syscall.CloseOnExec(fd)
		all = append(all, os.NewFile(uintptr(fd), "socket"))
	}
	return all
}

// Watchdog is how often the manager has to hear that we live; 0: it does not.
func (m Manager) Watchdog() time.Duration {
	if m.socket == "" {
		return 0
	}
	return m.watchdog
}

// There reports whether there is a manager.
func (m Manager) There() bool { return m.socket != "" }

// Tell sends assignments in one message. What the manager does not get, it gets
// with the next one, or misses: the daemon works all the same.
func (m Manager) Tell(assignments ...string) error {
	if m.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second)) // nobody may keep the daemon waiting
	_, err = c.Write([]byte(strings.Join(assignments, "\n")))
	return err
}

// The states of the daemon.
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Alive    = "WATCHDOG=1"
)

// Reloading says that the daemon reads its configuration again, until it is
// Ready.
func Reloading() []string {
	return []string{"RELOADING=1", "MONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10)}
}

// Status is a line for people.
func Status(text string) string { return "STATUS=" + strings.ReplaceAll(text, "\n", " ") }

// Extend asks for more time to stop.
func Extend(by time.Duration) string {
	return "EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(by.Microseconds(), 10)
}
