package zfssim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A streamRun is one random history on the sender, followed by the receiver.
type streamRun struct {
	*sandbox
	r      *rand.Rand
	src    string
	clones int
	snaps  int
	cuts   int
	sends  int
}

func TestStreamsCarryContents(t *testing.T) {
	n := heavy(10, 1000)
	sends, cuts, snaps := 0, 0, 0
	for seed := range n {
		run := &streamRun{sandbox: newSandbox(t, "src", "dst"), r: rand.New(rand.NewPCG(uint64(seed), 3)), src: "src/a"}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run.t = t
			run.history()
		})
		sends, cuts, snaps = sends+run.sends, cuts+run.cuts, snaps+run.snaps
		removeAll(run.root)
	}
	t.Logf("%d histories: %d snapshots, %d transfers, %d of them cut and resumed", n, snaps, sends, cuts)
}

func (r *streamRun) history() {
	r.ok("zfs", "create", r.src)
	r.mutate()
	r.snap()
	r.send("dst/a", "", r.newest(r.src))
	for range 6 {
		switch r.r.IntN(8) {
		case 0:
			r.rename()
		case 1:
			r.renameSnap()
		case 2:
			r.clone()
		default:
			for range 1 + r.r.IntN(3) {
				r.mutate()
				r.snap()
			}
			r.update()
		}
	}
	r.verify(r.src, "dst/a")
}

// mutate changes some files of the live tree.
func (r *streamRun) mutate() {
	root := r.mnt(strings.Split(r.src, "/")...)
	for range 1 + r.r.IntN(6) {
		dir := filepath.Join(root, []string{"", "d1", "d1/d2", "x"}[r.r.IntN(4)])
		path := filepath.Join(dir, fmt.Sprintf("f%d", r.r.IntN(5)))
		os.MkdirAll(dir, 0o755)
		switch r.r.IntN(8) {
		case 0:
			os.RemoveAll(path)
		case 1:
			os.RemoveAll(path)
			os.Symlink(fmt.Sprintf("target%d", r.r.IntN(9)), path)
		case 2:
			os.RemoveAll(path)
			os.Mkdir(path, 0o750)
			os.WriteFile(filepath.Join(path, "in"), []byte("in a directory"), 0o600)
		case 3:
			os.RemoveAll(filepath.Join(root, "d1"))
		case 4:
			r.patch(path)
		case 5:
			os.Chmod(path, 0o700+os.FileMode(r.r.IntN(8))) // a directory stays open to who is not root
		default:
			os.RemoveAll(path)
			data := make([]byte, r.r.IntN(400<<10))
			for i := 0; i < len(data); i += 1 + r.r.IntN(5000) {
				data[i] = byte(r.r.Uint32())
			}
			os.WriteFile(path, data, 0o644)
		}
	}
}

// patch overwrites a piece of a file, keeping its length or making it longer.
func (r *streamRun) patch(path string) {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	f.WriteAt([]byte(fmt.Sprint("patched ", r.r.Uint64())), r.r.Int64N(300<<10))
	if r.r.IntN(3) == 0 {
		f.Truncate(r.r.Int64N(200 << 10))
	}
}

func (r *streamRun) snap() {
	r.snaps++
	r.ok("zfs", "snapshot", fmt.Sprintf("%s@s%03d", r.src, r.snaps))
}

func (r *streamRun) list(name string) []string {
	return strings.Fields(r.ok("zfs", "list", "-H", "-t", "snapshot", "-o", "name", name))
}

func (r *streamRun) newest(name string) string {
	all := r.list(name)
	return all[len(all)-1]
}

// base is the sender's name of the receiver's newest snapshot.
func (r *streamRun) base(dst string) string {
	last := r.newest(dst)
	guid := strings.TrimSpace(r.ok("zfs", "get", "-Hp", "-o", "value", "guid", last))
	return r.guids(r.src)[guid]
}

func (r *streamRun) update() {
	base, last := r.base("dst/a"), r.newest(r.src)
	if base == last {
		return
	}
	switch r.r.IntN(3) {
	case 0:
		r.send("dst/a", base, last)
	case 1:
		mark := fmt.Sprintf("%s#m%d", r.src, r.r.IntN(1<<30))
		r.ok("zfs", "bookmark", base, mark)
		r.send("dst/a", mark, last)
	default:
		stream := r.ok("zfs", "send", "-I", base, last)
		r.sends++
		if errs, code := r.recv(stream, "-u", "dst/a"); code != 0 {
			r.t.Fatalf("receive of -I: %s", errs)
		}
	}
	r.verify(r.src, "dst/a")
}

// send transfers one step, sometimes cut once or twice on the way.
func (r *streamRun) send(dst, base, last string) {
	r.sends++
	args := []string{"zfs", "send", last}
	if base != "" {
		args = []string{"zfs", "send", "-i", base, last}
	}
	stream := r.ok(args...)
	for range r.r.IntN(3) {
		cut := recordSize + 1 + r.r.IntN(len(stream)-recordSize-1)
		if _, code := r.recv(stream[:cut], "-s", "-u", dst); code == 0 {
			r.t.Fatalf("a stream cut after %d of %d bytes was received", cut, len(stream))
		}
		r.cuts++
		out, _, code := r.run(nil, "zfs", "get", "-H", "-o", "value", "receive_resume_token", dst)
		if token := strings.TrimSpace(out); code == 0 && token != "-" {
			stream = r.ok("zfs", "send", "-t", token)
		} // otherwise nothing came, and nothing was kept
	}
	if errs, code := r.recv(stream, "-s", "-u", dst); code != 0 {
		r.t.Fatalf("receive: %s", errs)
	}
}

func (r *streamRun) rename() {
	to := fmt.Sprintf("src/r%d", r.r.IntN(1<<30))
	r.ok("zfs", "rename", r.src, to)
	r.src = to
}

func (r *streamRun) renameSnap() {
	all := r.list(r.src)
	last := all[len(all)-1]
	if last != r.base("dst/a") {
		return
	}
	r.ok("zfs", "rename", last, fmt.Sprintf("@renamed%d", r.r.IntN(1<<30)))
}

func (r *streamRun) clone() {
	base := r.base("dst/a")
	r.clones++
	name := fmt.Sprintf("src/clone%d", r.clones)
	r.ok("zfs", "clone", base, name)
	write(r.t, r.mnt(strings.Split(name, "/")...)+"/onlyclone", "written in the clone")
	r.ok("zfs", "snapshot", name+"@c")
	dst := fmt.Sprintf("dst/clone%d", r.clones)
	r.send(dst, base, name+"@c")
	sameTrees(r.t, r.snapDir(name+"@c"), r.snapDir(dst+"@c"))
	if origin := strings.TrimSpace(r.ok("zfs", "get", "-H", "-o", "value", "origin", dst)); !strings.HasPrefix(origin, "dst/a@") {
		r.t.Errorf("the origin of %s is %s", dst, origin)
	}
}

// verify compares every snapshot of the receiver with the sender's of the
// same guid.
func (r *streamRun) verify(src, dst string) {
	r.t.Helper()
	have := r.guids(src)
	for guid, full := range r.guids(dst) {
		from, ok := have[guid]
		if !ok {
			r.t.Errorf("%s has a guid that the sender does not know", full)
			continue
		}
		sameTrees(r.t, r.snapDir(from), r.snapDir(full))
	}
}

// TestFirstRecord holds DRR_BEGIN to the layout of OpenZFS's zfs_ioctl.h.
func TestFirstRecord(t *testing.T) {
	s := newSandbox(t, "tank")
	s.ok("zfs", "create", "tank/a")
	s.ok("zfs", "snapshot", "tank/a@one")
	s.ok("zfs", "snapshot", "tank/a@two")
	p := []byte(s.ok("zfs", "send", "-i", "@one", "tank/a@two"))
	le := binary.LittleEndian
	if le.Uint32(p) != 0 || le.Uint64(p[8:]) != 0x2F5bacbac || le.Uint64(p[16:])&3 != 1 {
		t.Errorf("type %d, magic %x, header %x", le.Uint32(p), le.Uint64(p[8:]), le.Uint64(p[16:])&3)
	}
	guid := func(snap string) uint64 { return number(t, s.ok("zfs", "get", "-Hp", "-o", "value", "guid", snap)) }
	if le.Uint64(p[40:]) != guid("tank/a@two") || le.Uint64(p[48:]) != guid("tank/a@one") {
		t.Errorf("toguid %d, fromguid %d", le.Uint64(p[40:]), le.Uint64(p[48:]))
	}
	name, _, _ := bytes.Cut(p[56:312], []byte{0})
	if string(name) != "tank/a@two" {
		t.Errorf("toname %q", name)
	}
	compound := []byte(s.ok("zfs", "send", "-R", "tank/a@two"))
	if le.Uint64(compound[16:])&3 != 2 {
		t.Errorf("-R begins with header type %d", le.Uint64(compound[16:])&3)
	}
}

// TestRealToken decodes a token that OpenZFS 2.3 made.
func TestTokenRoundTrip(t *testing.T) {
	k := token{From: 7, To: 1 << 63, ToName: "tank/a@x", Object: 3, Offset: 1 << 20, Bytes: 99, Large: true, Raw: true}
	back, err := decodeToken(k.encode())
	if err != nil || *back != k {
		t.Errorf("got %+v, %v", back, err)
	}
}

// TestReadsNoFurther receives two streams from one descriptor, one after the other.
func TestReadsNoFurther(t *testing.T) {
	s := newSandbox(t, "tank")
	s.ok("zfs", "create", "tank/a")
	write(t, s.mnt("tank/a/file"), "one")
	s.ok("zfs", "snapshot", "tank/a@one")
	write(t, s.mnt("tank/a/file"), "two")
	s.ok("zfs", "snapshot", "tank/a@two")
	both := s.ok("zfs", "send", "tank/a@one") + s.ok("zfs", "send", "-R", "-i", "@one", "tank/a@two")
	in, err := os.Create(filepath.Join(t.TempDir(), "both"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.WriteString(both); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var errs bytes.Buffer
		code := Run(Command{Args: []string{"zfs", "receive", "-u", "tank/b"}, Env: s.getenv, Stdin: in, Stdout: &errs, Stderr: &errs})
		if code != 0 {
			t.Fatalf("status %d: %s", code, errs.String())
		}
	}
	sameTrees(t, s.snapDir("tank/a@two"), s.snapDir("tank/b@two"))
}

// TestRealToken reads a token that OpenZFS 2.1 made, and would write it so.
func TestRealToken(t *testing.T) {
	const real = "1-caa47f81e-f0-789c636064000310a500c4ec50360710e72765a52697303030419460caa7a515a7968064b8e0f26c48f2499525a9c5403a409007abfe92fcf4d2cc140686d5113b7c57fdfd734e03499e132c9f97989b0aa4b3f5131df2f352a1ce609080ea87b93b35372935253f1b6c3e379278727e6e41516a7131500a0e00a0e31d7d"
	k, err := decodeToken(real)
	if err != nil {
		t.Fatal(err)
	}
	want := token{To: 0xcefcfdaa4db858ab, ToName: "tk/a@one", Object: 2, Offset: 0xa0000, Bytes: 0xc1150, Embed: true, Compress: true}
	if *k != want {
		t.Errorf("got %+v", *k)
	}
	if size := strings.Split(k.encode(), "-")[2]; size != "f0" {
		t.Errorf("packed it has %s bytes, with OpenZFS f0", size)
	}
}
