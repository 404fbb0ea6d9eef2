package daemon

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// TestOtherUser follows the example of zstdinserver(8): sessions of a user
// without rights get to a daemon that runs as root, and nobody else's do. Who
// is not root is both, and can try nobody else.
func TestOtherUser(t *testing.T) {
	t.Parallel()
	repl, other := uint32(65534), uint32(65533)
	root := os.Geteuid() == 0
	if !root {
		repl = uint32(os.Geteuid())
	}
	dir := shortDir(t)
	program := filepath.Join(dir, "zstdinserver")
	for _, c := range [][]string{
		{"chmod", "755", dir},
		{"install", "-m", "755", zstdinserver, program},
		{"install", "-d", "-m", "700", "-o", fmt.Sprint(repl), dir + "/run/stdinserver"},
	} {
		if said, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", c, err, said)
		}
	}
	c, err := config.Parse([]byte(`
global: {rundir: `+dir+`/run}
jobs:
- {name: source, type: source, serve: {type: stdinserver, client_identity: client}, datasets: {"a<": ok}}
`), "zreplctl.yml", config.Global{})
	if err != nil {
		t.Fatal(err)
	}
	startConfig(t, c)
	type session struct {
		uid    uint32
		status int
		says   string
	}
	sessions := []session{{repl, 7, ""}}
	if root {
		sessions = append(sessions, session{other, 1, "permission denied"})
	}
	command := func(uid uint32) *exec.Cmd {
		cmd := exec.Command(program, "-sockdir", c.Global.SockDir, "client")
		if cmd.Dir = "/"; root {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		}
		return cmd
	}
	for _, session := range sessions {
		cmd := command(session.uid)
		var said, answer bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("exit 7\n"), &answer, &said
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != session.status || !strings.Contains(said.String(), session.says) {
			t.Errorf("uid %d: exit status %d: %s", session.uid, code, said.String())
		}
	}
	if !root {
		return // a directory of one's own cannot be closed to oneself in this way
	}
	if err := os.Chmod(dir+"/run", 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := command(repl)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var said, answer bytes.Buffer
	cmd.Stdout, cmd.Stderr = &answer, &said
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(said.String(), "this user cannot enter the directories above") {
		t.Errorf("without a way there: exit status %d: %s", code, said.String())
	}
}
