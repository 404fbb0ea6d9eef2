package forge

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/zfssim"
)

// A machine runs zfs and zpool on one simulated pool p.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) *machine {
	m := &machine{t, t.TempDir()}
	m.ok(nil, "zpool", "create", "p", "disk")
	m.ok(nil, "zfs", "create", "p/a")
	if err := os.WriteFile(filepath.Join(m.root, "mnt/p/a/file"), bytes.Repeat([]byte("content "), 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	m.ok(nil, "zfs", "snapshot", "p/a@one")
	m.ok(nil, "zfs", "snapshot", "p/a@two")
	return m
}

func (m *machine) run(stdin []byte, args ...string) (string, string, int) {
	path := filepath.Join(m.t.TempDir(), "in")
	if err := os.WriteFile(path, stdin, 0o600); err != nil {
		m.t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer in.Close()
	env := func(name string) string { return map[string]string{"ZFS_SIM_ROOT": m.root}[name] }
	var out, errs bytes.Buffer
	code := zfssim.Run(zfssim.Command{Args: append([]string{"zfs-sim"}, args...), Env: env, Stdin: in, Stdout: &out, Stderr: &errs})
	return out.String(), errs.String(), code
}

func (m *machine) ok(stdin []byte, args ...string) string {
	m.t.Helper()
	out, errs, code := m.run(stdin, args...)
	if code != 0 {
		m.t.Fatalf("%s: status %d: %s", strings.Join(args, " "), code, errs)
	}
	return out
}

func (m *machine) parse(args ...string) Stream {
	m.t.Helper()
	s, err := Parse([]byte(m.ok(nil, append([]string{"zfs", "send"}, args...)...)))
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// What nobody changed comes out as it was, packages with and without
// properties too.
func TestBytesAreThoseParsed(t *testing.T) {
	m := newMachine(t)
	for _, args := range []string{"p/a@one", "-i @one p/a@two", "-I @one p/a@two", "-R p/a@two", "-p p/a@one"} {
		want := m.ok(nil, append([]string{"zfs", "send"}, strings.Fields(args)...)...)
		s, err := Parse([]byte(want))
		if err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		if got := s.Bytes(); string(got) != want {
			t.Errorf("%s: %d bytes came out of %d, and differ", args, len(got), len(want))
		}
		if twice := s.Swap().Swap().Bytes(); string(twice) != want {
			t.Errorf("%s: swapped twice, it differs", args)
		}
	}
}

func TestEditedStreamIsReceived(t *testing.T) {
	m := newMachine(t)
	s := m.parse("p/a@one")
	begin := s.Begins()[0]
	begin.SetName("other/name@three")
	begin.Set(ToGUID, 4711)
	m.ok(s.Bytes(), "zfs", "receive", "-u", "p/b")
	if got := m.ok(nil, "zfs", "get", "-Hp", "-o", "name,value", "guid", "p/b@three"); got != "p/b@three\t4711\n" {
		t.Errorf("got %q", got)
	}
}

func TestPackageIsReceived(t *testing.T) {
	m := newMachine(t)
	s := Package("p/a@two", nil, m.parse("p/a@one"), m.parse("-i", "@one", "p/a@two"))
	m.ok(s.Bytes(), "zfs", "receive", "-u", "p/b")
	if got := m.ok(nil, "zfs", "list", "-H", "-t", "snapshot", "-o", "name", "p/b"); got != "p/b@one\np/b@two\n" {
		t.Errorf("got %q", got)
	}
}

func TestSwapTurnsNumbers(t *testing.T) {
	m := newMachine(t)
	s := m.parse("-i", "@one", "p/a@two").Swap()
	b := s.Bytes()
	if binary.BigEndian.Uint64(b[8:]) != MagicNumber {
		t.Errorf("the magic is % x", b[8:16])
	}
	again, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := again.Begins()[0].Get(FromGUID), s.Begins()[0].Get(FromGUID); g != w || g == 0 {
		t.Errorf("from is %d, not %d", g, w)
	}
}

func TestParseRefusesCutStreams(t *testing.T) {
	b := newMachine(t).parse("p/a@one").Bytes()
	for _, n := range []int{1, Size - 1, Size + 1, len(b) - Size - 1} {
		if _, err := Parse(b[:n]); err == nil {
			t.Errorf("%d bytes were taken for a stream", n)
		}
	}
}
