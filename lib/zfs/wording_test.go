package zfs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
)

func TestKinds(t *testing.T) {
	for said, want := range map[string]fault.Kind{
		"cannot open 'p/x': dataset does not exist":                                                      fault.Gone,
		"cannot open 'q': no such pool or dataset":                                                       fault.NoPool,
		"cannot open 'q/x': no such pool 'q'":                                                            fault.NoPool,
		"cannot create 'p/x': dataset already exists":                                                    fault.Exists,
		"cannot receive new filesystem stream: out of space":                                             fault.NoSpace,
		"cannot receive incremental stream: destination p/x space quota exceeded.":                       fault.NoSpace,
		"cannot destroy snapshot p/x@a: dataset is busy":                                                 fault.Busy,
		"cannot receive resume stream: destination 'p/x' is busy":                                        fault.Busy,
		"cannot hold: permission denied":                                                                 fault.Denied,
		"cannot mount 'p/x': encryption root's key is not loaded or provided":                            fault.NoKey,
		"cannot receive new filesystem stream: inherited key must be loaded":                             fault.NoKey,
		"cannot resume send: 'p/x@one' used in the initial send no longer exists":                        fault.DeadToken,
		"cannot resume send: incremental source 0x1 no longer exists":                                    fault.DeadToken,
		"cannot resume send: resume token is corrupt (incorrect checksum)":                               fault.DeadToken,
		"cannot receive: out of luck":                                                                    "",
		"":                                                                                               "",
		"cannot send 'p/out of space@x': permission denied":                                              fault.Denied,
		"cannot open 'p/dataset is busy': I/O error":                                                     "",
		"cannot send 'p/a':\nwarning: cannot send 'p/resume token is corrupt@x': dataset does not exist": fault.Gone,
	} {
		err := fmt.Errorf("around: %w", &Error{Args: []string{"x"}, Code: 1, Stderr: said})
		if got := fault.Of(err); got != want || want != "" && !errors.Is(err, want) {
			t.Errorf("%q is %q, not %q", said, got, want)
		}
	}
	two := &Error{Stderr: "cannot open 'p': dataset does not exist\ncannot open 'q': no such pool or dataset"}
	if !errors.Is(two, fault.Gone) || !errors.Is(two, fault.NoPool) || errors.Is(two, fault.Exists) {
		t.Error("one of two kinds is lost")
	}
}

// What another host's zfs send says is no word about this host's space, nor
// about datasets here.
func TestSendKind(t *testing.T) {
	for said, want := range map[string]fault.Kind{
		"cannot receive: out of space":                     "",
		"cannot open 'p/x': dataset does not exist":        "",
		"internal error: dataset is busy":                  "",
		"cannot send 'p/x@a': permission denied":           fault.Denied,
		"cannot resume send: resume token is corrupt (it)": fault.DeadToken,
	} {
		if got := SendKind(said); got != want {
			t.Errorf("%q is %q, not %q", said, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	shorts := []string{"a", "a: b", "b", "c c"}
	for text, want := range map[string]map[string]string{
		"cannot destroy snapshot p/x@a: dataset is busy":                                          {"a": "dataset is busy"},
		"cannot destroy snapshot p/x@c c: dataset is busy\ncannot destroy snapshot p/x@b: no: it": {"c c": "dataset is busy", "b": "no: it"},
		"cannot destroy 'p/x@b': it has clones":                                                   {"b": "it has clones"},
		"cannot destroy snapshot p/x@other: dataset is busy":                                      {},
		"cannot destroy snapshot q/x@a: dataset is busy":                                          {},
		"cannot destroy snapshots in p/x: out of luck":                                            {},
		"": {},
	} {
		got := texts(Refused(fmt.Errorf("around: %w", &Error{Stderr: text}), "p/x", shorts))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	// Of two names that both fit, both are left: nothing is taken for gone.
	if got := Refused(&Error{Stderr: "cannot destroy snapshot p/x@a: b: dataset is busy"}, "p/x", shorts); len(got) != 2 {
		t.Errorf("an ambiguous name: %v", got)
	}
}

func texts(errs map[string]error) map[string]string {
	if errs == nil {
		return nil
	}
	out := map[string]string{}
	for name, err := range errs {
		out[name] = err.Error()
	}
	return out
}

func TestUnset(t *testing.T) {
	const said = `cannot receive readonly property on b/r/x2: permission denied
cannot receive zreplctl:send property on b/r/x2: permission denied
cannot receive mountpoint property on b/r/x2: permission denied
cannot receive new filesystem stream: permission denied
Warning: b/r/x2: property 'sharenfs' does not apply to datasets of this type
`
	for _, c := range []struct{ args, said, want string }{
		{"zfs receive -x mountpoint -o readonly=on b/r/x2", said, "readonly: permission denied; zreplctl:send: permission denied"},
		{"zfs receive -x mountpoint -x readonly b/r/x2", said, "zreplctl:send: permission denied"},
		{"zfs receive b/r/x2", "", ""},
		{"zfs receive b/r/x2", "cannot receive quota property on b/r/x2: size is less than current used or reserved space\n",
			"quota: size is less than current used or reserved space"},
		{"", "cannot receive", ""},
		{"zfs receive -x", "cannot receive x property on", ""},
	} {
		if got := Unset(strings.Fields(c.args), c.said); got != c.want {
			t.Errorf("%s: %q, not %q", c.args, got, c.want)
		}
	}
}
