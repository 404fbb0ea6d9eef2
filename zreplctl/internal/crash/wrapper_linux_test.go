package crash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary plays two more parts, by the name it is called by: "zfs",
// which counts the commands of one side and kills at one of them, and "relay",
// a connection that breaks.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "zfs":
		os.Exit(wrapZFS(filepath.Dir(os.Args[0])))
	case "relay":
		os.Exit(relay(os.Args[1], os.Args[2:]))
	}
	os.Exit(run(m))
}

// A fault is written in the file "fault" beside the wrapper: NUMBER WHEN WHOM,
// as "7 after all". Without the file nothing happens.
type fault struct {
	at    int
	after bool   // the command has taken effect
	whom  string // all: every process of the session; caller: who called zfs
}

// wrapZFS runs the real zfs, which the file "real" names, and counts.
func wrapZFS(dir string) int {
	real, err := os.ReadFile(filepath.Join(dir, "real"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	args := append([]string{"zfs"}, os.Args[1:]...)
	n, err := count(dir, strings.Join(args, " "))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	f := readFault(dir)
	if n != f.at {
		fmt.Fprintln(os.Stderr, unix.Exec(string(real), args, os.Environ()))
		return 99
	}
	if f.after {
		cmd := exec.Command(string(real), args[1:]...)
		cmd.Args[0] = "zfs"
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.WriteFile(filepath.Join(dir, "struck"), []byte(strings.Join(args, " ")), 0o600)
	if f.whom == "caller" {
		unix.Kill(os.Getppid(), unix.SIGKILL)
	} else {
		killSession()
	}
	unix.Kill(os.Getpid(), unix.SIGKILL)
	return 99
}

func readFault(dir string) (f fault) {
	text, _ := os.ReadFile(filepath.Join(dir, "fault"))
	var when string
	fmt.Sscanf(string(text), "%d %s %s", &f.at, &when, &f.whom)
	f.after = when == "after"
	return f
}

// count logs one command and returns its number, from 1.
func count(dir, line string) (int, error) {
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	if err := unix.Flock(int(log.Fd()), unix.LOCK_EX); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(log)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fprintln(log, strings.ReplaceAll(line, "\n", " "))
	return bytes.Count(text, []byte("\n")) + 1, err
}

// session lists the processes of session sid but our own.
func session(sid int) (pids []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(f) > 3 && f[3] == strconv.Itoa(sid) && f[0] != "Z" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killSession kills all that runs on both sides, again and again until nothing
// is left: what is dying may just have started something.
func killSession() {
	sid, _ := unix.Getsid(0)
	for {
		pids := session(sid)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// relay runs a command with a connection that breaks. Its spec is
// DIRECTION:NUMBER:WHERE, the direction being from the command or to it, and
// the place before, in the head or in the body of the frame of that number; or
// "bytes", which is in the frame by which that many bytes of one stream passed.
func relay(spec string, command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return 99
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 99
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	direction, at, where := parseCut(spec)
	broken := make(chan struct{})
	go func() {
		pass(in, os.Stdin, direction == "to", at, where, broken)
		in.Close()
	}()
	ended := make(chan struct{})
	go func() {
		pass(os.Stdout, out, direction == "from", at, where, broken)
		close(ended)
	}()
	select {
	case <-broken:
		os.WriteFile(filepath.Join(filepath.Dir(os.Args[0]), "struck"), []byte(spec), 0o600)
		cmd.Process.Kill()
		return 255
	case <-ended:
	}
	cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

func parseCut(spec string) (direction string, frame int, where string) {
	f := strings.Split(spec, ":")
	frame, _ = strconv.Atoi(f[1])
	return f[0], frame, f[2]
}

// pass copies frames, and breaks off at one of them where cut is set.
func pass(w io.Writer, r io.Reader, cut bool, at int, where string, broken chan struct{}) {
	buf := make([]byte, 64<<10)
	var stream int64
	for n := 1; ; n++ {
		var head [12]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		size := int64(head[4]) | int64(head[5])<<8 | int64(head[6])<<16 | int64(head[7])<<24
		if head[0] == 1 {
			stream = 0
		}
		stream += size
		strike := cut && (n == at && where != "bytes" || where == "bytes" && stream >= int64(at))
		if strike && where == "before" {
			close(broken)
			return
		}
		if strike && where == "head" {
			w.Write(head[:5])
			close(broken)
			return
		}
		if _, err := w.Write(head[:]); err != nil {
			return
		}
		if strike {
			size /= 2
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(r, size), buf); err != nil {
			return
		}
		if strike {
			close(broken)
			return
		}
		countFrame(cut, size)
	}
}

// countFrame notes the size of a frame of an undisturbed run, in a file beside
// the relay, a line each.
func countFrame(cut bool, size int64) {
	if !cut {
		return
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(os.Args[0]), "frames"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		fmt.Fprintln(f, size)
		f.Close()
	}
}
