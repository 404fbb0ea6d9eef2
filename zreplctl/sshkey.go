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
		fmt.Fprintf(g.stderr, "zreplctl: wrote %s\n", key)
	} else {
		fmt.Fprintf(g.stderr, "zreplctl: the key %s is there already and stays\n", key)
	}
	return nil
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
	fmt.Fprintf(g.stderr, "zreplctl: on %s, zreplctl init -client %s %s makes the other half\n", f.peer, f.client, other)
	fmt.Fprintf(g.stderr, "zreplctl: add this line to ~%s/.ssh/authorized_keys on %s:\n", f.user, f.peer)
	_, err = fmt.Fprintf(g.stdout, "command=\"zstdinserver %s\",restrict %s\n", f.client, strings.TrimSpace(string(public)))
	return cli.Quiet(err)
}
