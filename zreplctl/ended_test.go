package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// TestStatusFD: a command that runs a job says on a descriptor how it ended,
// also where it never got as far as the job, and without the hints.
func TestStatusFD(t *testing.T) {
	config := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(config, []byte(`jobs: [{name: snap, type: autosnap, datasets: {"none/a<": ok}, snapshot_prefix: z_}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		error  string
	}{
		{[]string{"autosnap", "nosuch", "-config", config}, 2, "nosuch"},
		{[]string{"pull", "snap", "-config", config}, 2, "is of type autosnap"},
		{[]string{"prune", "snap", "-config", config + ".none"}, 2, "no such file"},
		{[]string{"autosnap", "-skip", "snapshot", "snap", "-config", config}, 0, ""},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0], append(c.args, "-status-fd", "3")...)
		cmd.Env = append(os.Environ(), "ZT_ZREPLCTL=1")
		cmd.ExtraFiles = []*os.File{w}
		said, err := cmd.CombinedOutput()
		w.Close()
		var end control.End
		if json.NewDecoder(r).Decode(&end) != nil || end.Status != c.status || cmd.ProcessState.ExitCode() != c.status ||
			!strings.Contains(end.Error, c.error) || (end.Error == "") != (c.error == "") || strings.Contains(end.Error, "hint") {
			t.Errorf("%q: %+v, %v\n%s", c.args, end, err, said)
		}
		r.Close()
	}
}
