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
// that is there, and returns the line for authorized_keys that allows its
// bearer to be this client and nothing else.
func (f *first) makeKey(ctx context.Context, g *globals) (string, error) {
	key := f.key()
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		return "", cli.Cannot("make directory", filepath.Dir(key), pathCause(err))
	}
	if _, err := os.Lstat(key); errors.Is(err, fs.ErrNotExist) {
		program, err := exec.LookPath("ssh-keygen")
		if err != nil {
			return "", cli.Hint(cli.Cannot("make key", key, errors.New("ssh-keygen is not installed")), "install OpenSSH's client programs")
		}
		c := exec.CommandContext(ctx, program, "-q", "-t", "ed25519", "-N", "", "-C", "zreplctl of "+f.client, "-f", key)
		if out, err := c.CombinedOutput(); err != nil {
			return "", cli.Cannot("make key", key, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out))))
		}
		fmt.Fprintf(g.stderr, "zreplctl: wrote %s\n", key)
	} else {
		fmt.Fprintf(g.stderr, "zreplctl: the key %s is there already and stays\n", key)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return "", cli.Cannot("read key", key+".pub", pathCause(err))
	}
	return fmt.Sprintf("command=\"zstdinserver %s\",restrict %s", f.client, strings.TrimSpace(string(public))), nil
}
