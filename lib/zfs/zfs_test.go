package zfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
)

// fake is a zfs that takes down its arguments, one a line, and runs body.
func fake(t testing.TB, body string) (z *ZFS, args func() []string) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zfs")
	text := "#!/bin/sh\nfor a; do echo \"$a\"; done >>" + dir + "/args\n" + body + "\n"
	if err := simhost.WriteProgram(path, text); err != nil {
		t.Fatal(err)
	}
	return &ZFS{Path: path}, func() []string {
		text, err := os.ReadFile(dir + "/args")
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		os.Remove(dir + "/args")
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
}

var ctx = context.Background()

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"zfs", "other"} {
		if err := simhost.WriteProgram(filepath.Join(dir, name), "#!/bin/sh\n"); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	for env, want := range map[string]string{"": dir + "/zfs", dir + "/other": dir + "/other", "other": dir + "/other"} {
		t.Setenv("ZREPL_ZFS", env)
		if z, err := Find(); err != nil || z.Path != want {
			t.Errorf("%q: %v, %v", env, z, err)
		}
	}
	t.Setenv("ZREPL_ZFS", "/no/such/zfs")
	if _, err := Find(); err == nil || !strings.Contains(err.Error(), `"/no/such/zfs" (from $ZREPL_ZFS): `) {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	z, args := fake(t, `printf 'p/a@x y\t1\t2\np/a#b\t3\t4\n'`)
	var got [][]string
	err := z.List(ctx, ListOptions{Types: []string{"snapshot", "bookmark"}, Columns: []string{"name", "guid", "createtxg"}, Roots: []string{"p/a", "q"}, Recursive: true},
		func(fields []string) error { got = append(got, slices.Clone(fields)); return nil })
	if diff := cmp.Diff([][]string{{"p/a@x y", "1", "2"}, {"p/a#b", "3", "4"}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if diff := cmp.Diff(strings.Fields("list -Hp -r -t snapshot,bookmark -o name,guid,createtxg p/a q"), args()); diff != "" {
		t.Error(diff)
	}
}

func TestListFails(t *testing.T) {
	for body, want := range map[string]string{
		`echo p; echo "cannot open 'q': dataset does not exist" >&2; exit 1`: "zfs list: cannot open 'q': dataset does not exist",
		`echo p; exit 3`:                         "zfs list: exit status 3 without a message",
		`echo p; kill -9 $$`:                     "zfs list: killed by signal 9",
		`printf 'p\tq\n'`:                        `zfs list: a line of 2 columns instead of 1: "p\tq"`,
		`head -c 70000000 /dev/zero | tr '\0' x`: "zfs list: a line of more than 67108864 bytes",
		`yes`:                                    "enough",
		`printf 'a\033[31mb\nc\n' >&2; exit 1`:   "zfs list: a[31mb",
	} {
		z, _ := fake(t, body)
		n := 0
		err := z.List(ctx, ListOptions{}, func([]string) error {
			if n++; n == 100 {
				return errors.New("enough")
			}
			return nil
		})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	z, _ := fake(t, "sleep 60")
	cancelled, cancel := context.WithCancel(ctx)
	z.Ran = func([]string) { cancel() }
	if err := z.List(cancelled, ListOptions{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	z, _ = fake(t, "sleep 60; true") // sleep keeps the pipe open when the shell has ended
	limited, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := z.List(limited, ListOptions{}, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 20*time.Second {
		t.Errorf("cancelled: %v after %v", err, time.Since(begin))
	}
	none := &ZFS{Path: "/no/such/zfs"}
	if err := none.List(ctx, ListOptions{}, nil); err == nil {
		t.Error("no program, and no error")
	}
}

// No name that zfs could take for something else gets that far.
func TestBadNamesStayHere(t *testing.T) {
	z, args := fake(t, "")
	each := func([]string) error { return nil }
	for _, name := range []string{"", "-r", "-p/a", "p/../q", "p//a", "p/a@", "/p", "p/", "p\n", "p\x1b", "p@a@b", "p#a@b", "p,q", "p/a%recv", "1p", strings.Repeat("p", 300)} {
		calls := map[string]error{
			"list":     z.List(ctx, ListOptions{Roots: []string{"p", name}}, each),
			"snapshot": z.Snapshot(ctx, []string{"p@x", name + "@x"}, nil),
			"short":    z.Snapshot(ctx, []string{"p@" + name + "@"}, nil),
			"destroy":  z.DestroySnapshots(ctx, name, []string{"x"}),
			"inherit":  z.Inherit(ctx, "a:b", name),
			"create":   z.Create(ctx, name, nil),
		}
		_, calls["versions"] = z.Versions(ctx, []string{name}, true)
		_, calls["get"] = z.Get(ctx, GetOptions{Properties: []string{"a:b"}, Names: []string{name}})
		_, calls["datasets"] = z.Datasets(ctx, []string{name}, true)
		_, calls["holds"] = z.Holds(ctx, []string{name})
		for what, err := range calls {
			if err == nil {
				t.Errorf("%s takes %q", what, name)
			}
		}
	}
	for _, short := range []string{"", "a,b", "a%b", "%", "-", "a@b", "a b\n"} {
		if err := z.DestroySnapshots(ctx, "p", []string{"x", short}); err == nil && short != "-" {
			t.Errorf("destroy takes %q", short)
		}
	}
	for _, p := range []string{"", "-o", "a=b", "a b", "a\n", strings.Repeat("a", 257)} {
		if err := z.Create(ctx, "p", map[string]string{p: "v"}); err == nil {
			t.Errorf("create takes the property %q", p)
		}
	}
	if err := z.Create(ctx, "p", map[string]string{"a:b": "c\nd"}); err == nil {
		t.Error("create takes a value with a line break")
	}
	if got := args(); len(got) != 2 || got[0] != "destroy" || got[1] != "p@x,-" {
		t.Errorf("zfs was called: %q", got)
	}
}

func TestVersions(t *testing.T) {
	z, args := fake(t, `printf 'p@b\t7\t30\np@a\t5\t20\np#a\t5\t20\np/c@x\t9\t1\n'`)
	got, err := z.Versions(ctx, []string{"p"}, false)
	want := map[string][]dataset.Version{
		"p":   {{Kind: '@', Name: "a", GUID: 5, CreateTXG: 20}, {Kind: '#', Name: "a", GUID: 5, CreateTXG: 20}, {Kind: '@', Name: "b", GUID: 7, CreateTXG: 30}},
		"p/c": {{Kind: '@', Name: "x", GUID: 9, CreateTXG: 1}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if diff := cmp.Diff(strings.Fields("list -Hp -d 1 -t snapshot,bookmark -o name,guid,createtxg p"), args()); diff != "" {
		t.Error(diff)
	}
	for _, line := range []string{`p\t1\t2`, `p@a\t0\t2`, `p@a\tx\t2`, `p@a\t1\tx`, `p@a\t1`, `p@a\t1\t-`} {
		z, _ := fake(t, `printf '`+line+`\n'`)
		if got, err := z.Versions(ctx, nil, true); err == nil {
			t.Errorf("%s: %v", line, got)
		}
	}
}

// A value with line breaks, as a stream may bring one, speaks for no other
// dataset.
func TestPropertyLines(t *testing.T) {
	for _, lines := range []string{
		`p\ttype\tfilesystem\t-\np\torg:a\ton\tlocal\nq\torg:a\ton\tlocal\nq\ttype\tfilesystem\t-\nq\torg:a\t-\t-\n`,
		`p\ttype\tfilesystem\t-\np\torg:a\ton\tlocal\nq\ttype\tfilesystem\t-\nq\torg:a\ton\tlocal\nq\ttype\tfilesystem\t-\nq\torg:a\t-\t-\n`,
		`p\ttype\tfilesystem\t-\nq\torg:a\ton\tlocal\n`,
	} {
		z, _ := fake(t, "printf '"+lines+"'")
		if got, err := z.Datasets(ctx, nil, true, "org:a"); err == nil {
			t.Errorf("%q: %v", lines, got)
		}
		if got, err := z.Get(ctx, GetOptions{Properties: []string{"org:a"}}); err == nil {
			t.Errorf("%q: %v", lines, got)
		}
	}
}

func TestProperties(t *testing.T) {
	z, args := fake(t, `
case "$*" in
*,guid*) printf 'p\ttype\tfilesystem\t-\np\torg:a\tx\ty\tlocal\np\tguid\t1\t-\np/v\ttype\tvolume\t-\np/v\torg:a\t-\t-\np/v\tguid\t2\t-\n' ;;
*) printf 'p\ttype\tfilesystem\t-\np\torg:a\tx\ty\tlocal\np/v\ttype\tvolume\t-\np/v\torg:a\t-\t-\n' ;;
esac`)
	got, err := z.Datasets(ctx, []string{"p"}, true, "org:a")
	want := []Dataset{
		{Name: "p", Type: "filesystem", Properties: map[string]Property{"org:a": {"x\ty", "local"}}},
		{Name: "p/v", Type: "volume", Properties: map[string]Property{}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if diff := cmp.Diff(strings.Fields("get -Hp -o name,property,value,source -t filesystem,volume -r type,org:a,guid p"), args()); diff != "" {
		t.Error(diff)
	}
	all, err := z.Get(ctx, GetOptions{Properties: []string{"type", "org:a"}, Names: []string{"p", "p/v@x"}})
	if err != nil || all["p"]["org:a"].Value != "x\ty" || len(all["p/v"]) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	args()
	if err := z.Create(ctx, "p/new", map[string]string{"mountpoint": "none", "canmount": "off"}); err != nil {
		t.Error(err)
	}
	if err := z.Inherit(ctx, "b:c", "p/new"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(strings.Fields("create -u -o canmount=off -o mountpoint=none p/new inherit b:c p/new"), args()); diff != "" {
		t.Error(diff)
	}
}

func TestHoldsList(t *testing.T) {
	z, _ := fake(t, `printf 'p@a\ttag 1\tFri Nov 20\np@a\tother\tFri\np@b\tx\ty\n'`)
	got, err := z.Holds(ctx, []string{"p@a", "p@b", "p@c"})
	if diff := cmp.Diff(map[string][]string{"p@a": {"tag 1", "other"}, "p@b": {"x"}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	z, args := fake(t, "")
	if got, err := z.Holds(ctx, nil); err != nil || len(got) != 0 || args()[0] != "" {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestBatch(t *testing.T) {
	z, args := fake(t, "")
	var shorts []string
	for i := range 2000 {
		shorts = append(shorts, fmt.Sprintf("zrepl_%04d_%s", i, strings.Repeat("x", 100)))
	}
	done := 0
	for rest := shorts; len(rest) > 0; {
		n := Batch("p/a", rest)
		if err := z.DestroySnapshots(ctx, "p/a", rest[:n]); err != nil {
			t.Fatal(err)
		}
		arg := args()[1]
		if len(arg) > MaxDestroyArg || n < len(rest) && len(arg) < MaxDestroyArg-200 {
			t.Errorf("an argument of %d bytes", len(arg))
		}
		done += strings.Count(arg, ",") + 1
		rest = rest[n:]
	}
	if done != len(shorts) {
		t.Errorf("%d of %d", done, len(shorts))
	}
	if err := z.DestroySnapshots(ctx, "p/a", shorts); err == nil {
		t.Error("an argument that is too long is taken")
	}
	if Batch("p", nil) != 0 || Batch("p", []string{strings.Repeat("x", 200<<10)}) != 1 {
		t.Error("a batch of nothing, or none of one")
	}
}

// As many arguments as FitArgs says can really be given.
func TestFitArgs(t *testing.T) {
	var names []string
	for i := range 100_000 {
		names = append(names, fmt.Sprintf("p/a@zrepl_%06d_%s", i, strings.Repeat("x", i%200)))
	}
	n := FitArgs(names)
	if n == len(names) || n < 1000 {
		t.Fatalf("%d of %d names fit", n, len(names))
	}
	z := &ZFS{Path: "/bin/true"}
	if err := z.Snapshot(ctx, names[:n], nil); err != nil {
		t.Errorf("%d names: %v", n, err)
	}
	if err := z.Snapshot(ctx, names[:n+n/2], nil); err == nil {
		t.Errorf("half as many more fit, too")
	}
	t.Logf("%d names fit", n)
}

func TestMessages(t *testing.T) {
	for text, c := range map[string]struct {
		missing []string
		only    bool
		gone    bool
	}{
		"cannot open 'p/x': dataset does not exist":                                {[]string{"p/x"}, true, true},
		"cannot open 'p/x': dataset does not exist\ncannot open 'q': no such pool": {[]string{"p/x", "q"}, true, true},
		"cannot open 'p/x': dataset does not exist\ninternal error":                {nil, false, true},
		"could not find any snapshots to destroy; check snapshot names.":           {nil, false, true},
		"cannot destroy snapshot p@x: dataset is busy":                             {nil, false, false},
		"": {nil, false, false},
	} {
		err := fmt.Errorf("around: %w", &Error{Args: []string{"list"}, Code: 1, Stderr: text})
		missing, only := Missing(err)
		if !slices.Equal(missing, c.missing) || only != c.only || NotExist(err) != c.gone {
			t.Errorf("%q: %v, %v, %v", text, missing, only, NotExist(err))
		}
	}
}

func FuzzVersionLine(f *testing.F) {
	f.Add("p@a\t1\t2", "p")
	f.Add("p#a\t18446744073709551615\t0", "")
	f.Add("p@a#b\t18446744073709551616\t0", "p")
	f.Add("p/q@a\t1\t+2", "p")
	f.Add("p\t@a\t1\t2", "p")
	f.Fuzz(func(t *testing.T, line, last string) {
		last, _, _ = dataset.Split(last) // the name of a dataset
		fields := strings.Split(line, "\t")
		fast, ok := readVersion([]byte(line), strings.ReplaceAll(last, "\t", ""))
		if len(fields) != 3 {
			if ok {
				t.Fatalf("%q has %d columns, and is read", line, len(fields))
			}
			return
		}
		ds, v, err := version(fields)
		if ok != (err == nil) || ok && (string(fast.dataset) != ds || fast.kind != v.Kind || string(fast.name) != v.Name ||
			fast.guid != uint64(v.GUID) || fast.txg != v.CreateTXG) {
			t.Fatalf("%q after %q: %v, %+v; by the plain way %q, %+v, %v", line, last, ok, fast, ds, v, err)
		}
		if err == nil && (v.Full(ds) != fields[0] || v.GUID == 0) {
			t.Fatalf("%q: %q %+v", line, ds, v)
		}
		propertyLine(line)
	})
}
