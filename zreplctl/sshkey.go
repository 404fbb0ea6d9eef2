package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/identity"
)

// makeKey makes a key without a passphrase by ssh-keygen(1), or takes the one
// that is there.
func (f *first) makeKey(ctx context.Context, g *globals) error {
	key := f.key()
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		return cli.Cannot("make directory", filepath.Dir(key), pathCause(err))
	}
	if _, err := os.Lstat(key); errors.Is(err, fs.ErrNotExist) {
		program, err := exec.LookPath("ssh-keygen")
		if err != nil {
			return cli.Hint(cli.Cannot("make key", key, errors.New("ssh-keygen is not installed")), "install OpenSSH's client programs")
		}
		c := exec.CommandContext(ctx, program, "-q", "-t", "ed25519", "-N", "", "-C", "zreplctl of "+f.client, "-f", key)
		if out, err := c.CombinedOutput(); err != nil {
			return cli.Cannot("make key", key, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out))))
		}
		g.say("wrote %s", key)
	} else {
		g.say("the key %s exists, and is kept", key)
	}
	return nil
}

// here is this host's name for the other one.
func (f *first) here() string {
	if name, err := os.Hostname(); err == nil && identity.Check(name) == nil {
		return name
	}
	return f.client
}

// tellKey prints the line for authorized_keys that allows the key's bearer to
// be this client and nothing else, and what the other host needs besides.
func (f *first) tellKey(g *globals) error {
	path := f.key() + ".pub"
	public, err := os.ReadFile(path)
	if err != nil {
		return cli.Cannot("read key", path, pathCause(err))
	}
	other := map[string]string{"pull": "source", "push": "push-sink"}[f.kind]
	g.say("on %s, zreplctl init -host %s -client %s %s makes the other half", f.peer, f.here(), f.client, other)
	g.say("add this line to ~%s/.ssh/authorized_keys on %s:", f.user, f.peer)
	line := fmt.Sprintf("command=\"zstdinserver %s\",restrict %s", f.client, strings.TrimSpace(string(public)))
	return cli.Quiet(g.stdout.Record(line))
}
