package endpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// What has the key of a raw copy is set aside only with that: the next stream may
// bring that another key. A key of this host's own changes for all at once.
func TestAsideKey(t *testing.T) {
	e := newEnds(t)
	e.r.Asides = []string{"unrelated"}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	e.Must("zfs", "create", "-p", "b/back/a")
	e.Must("zfs", "create", "-o", "encryption=on", "-o", "keyformat=raw", "-o", "keylocation=file://"+key, "b/back/a/k")
	for _, ds := range []string{"b/back/a/k/c", "b/back/a/k/c/below"} {
		e.Must("zfs", "create", ds)
	}
	e.Must("zfs", "snapshot", "-r", "b/back/a/k@s1")
	for _, ds := range []string{"b/back/a/k/c/below", "b/back/a/k/c", "b/back/a/k"} {
		e.Must("zfs", "hold", e.r.Tag, ds+"@s1")
		e.Must("zfs", "set", "readonly=on", ds)
		e.Must("zfs", "set", "canmount=noauto", ds)
		e.Must("zfs", "set", SendProperty+"=wL", ds)
		e.Run("", "zfs", "unmount", ds) // if it is mounted
	}
	aside := func(ds string) error {
		got, err := e.r.SetAside(t.Context(), transfer.Aside{Copy: e.snap(ds + "@s1"), Reason: "unrelated"})
		if err == nil {
			e.Must("zfs", "destroy", "-r", got.Dataset) // which would stay where it is with what is above
		}
		return err
	}
	if err := aside("b/back/a/k/c"); err == nil || !strings.Contains(err.Error(), `"b/back/a/k/c" has the key of the raw copy "b/back/a/k"`) ||
		!strings.Contains(err.Error(), "zfs change-key -o keyformat=passphrase -o keylocation=prompt b/back/a/k/c") {
		t.Errorf("%v", err)
	}
	e.Must("zfs", "change-key", "-o", "keyformat=raw", "-o", "keylocation=file://"+key, "b/back/a/k/c")
	if err := aside("b/back/a/k/c/below"); err == nil || !strings.Contains(err.Error(), `the raw copy "b/back/a/k/c"`) {
		t.Errorf("%v", err)
	}
	e.Must("zfs", "set", SendProperty+"=L", "b/back/a/k/c")
	if err := aside("b/back/a/k/c/below"); err != nil {
		t.Errorf("with a key of this host's own: %v", err)
	}
	if err := aside("b/back/a/k"); err != nil {
		t.Errorf("with the dataset whose key it is: %v", err)
	}
}
