package job_test

import (
	"strings"
	"testing"
	"time"
)

// TestShellLogin: a login that gets a shell, and not zstdinserver, is a final
// error at once, with the line that the other host lacks.
func TestShellLogin(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]string{
		"silent": `[sh]`,
		"motd":   `[sh, -c, "echo Welcome to prod1; exec sh"]`,
		"banner": `[sh, -c, "echo Welcome to prod1 >&2; exec sh"]`,
	} {
		w := newWorld(t)
		w.extend("- {name: shell, type: pull, mapping: {\"a<\": b/shell}, connect: {type: exec, command: " + command + "}}\n")
		began := time.Now()
		code, said := w.ctl("pull", "shell")
		if code != 1 || !strings.Contains(said, "runs a shell, and no zstdinserver") ||
			!strings.Contains(said, `hint: in that login's authorized_keys, write command="zstdinserver IDENTITY",restrict`) {
			t.Errorf("%s: exit status %d: %s", name, code, said)
		}
		if took := time.Since(began); took > 40*time.Second { // a server that says nothing is given 60
			t.Errorf("%s: it took %s", name, took)
		}
	}
}
