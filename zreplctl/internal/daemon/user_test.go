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
// without rights get to a daemon that runs as root, and nobody else's do.
func TestOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be two users")
	}
	const repl, other = 65534, 65533
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
	for _, session := range []struct {
		uid    uint32
		status int
		says   string
	}{{repl, 7, ""}, {other, 1, "permission denied"}} {
		cmd := exec.Command(program, "-sockdir", c.Global.SockDir, "client")
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: session.uid, Gid: session.uid}}
		var said, answer bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("exit 7\n"), &answer, &said
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != session.status || !strings.Contains(said.String(), session.says) {
			t.Errorf("uid %d: exit status %d: %s", session.uid, code, said.String())
		}
	}
	if err := os.Chmod(dir+"/run", 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-sockdir", c.Global.SockDir, "client")
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: repl, Gid: repl}}
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
