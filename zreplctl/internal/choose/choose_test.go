package choose

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/lib/zfssim/simhost"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

var bin string // holds zfs and zpool

func TestMain(m *testing.M) { os.Exit(simhost.Main(m, &bin, nil)) }

var ctx = context.Background()

const property = "zreplctl:backup"

func job(t *testing.T, text string) *config.Job {
	t.Helper()
	c, err := config.Read(strings.NewReader("jobs:\n- {name: j, "+text+"}\n"), "test")
	if err != nil {
		t.Fatal(err)
	}
	return c.Jobs[0]
}

func host(t *testing.T, datasets ...string) *zfs.ZFS {
	h := simhost.New(t, bin, append([]string{"p"}, datasets...)...)
	t.Setenv("ZFS_SIM_ROOT", h.Root)
	return &zfs.ZFS{Path: filepath.Join(bin, "zfs")}
}

func run(t *testing.T, in []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "zfs"), args...)
	cmd.Stdin = bytes.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, errs.String())
	}
	return out
}

func chosen(j *config.Job) string {
	var names []string
	for _, name := range Listed(j) {
		if j.Sources().Pass(name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func TestLook(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/a/c", "p/d")
	var ran []string
	z.Ran = func(args []string) { ran = append(ran, strings.Join(args, " ")) }
	for _, set := range []string{"p=x", "p/a=daily", "p/a/c=x", "p/d=daily"} {
		name, value, _ := strings.Cut(set, "=")
		run(t, nil, "set", property+"="+value, name)
	}
	for _, c := range []struct {
		text, want string
		commands   int
	}{
		{`datasets: {"<": ok}, select: {property: "zreplctl:backup=daily"}`, "p/a p/a/b p/d", 1},
		{`datasets: {"p/a<": ok}, select: {property: "zreplctl:backup=daily"}`, "p/a p/a/b", 1},
		{`datasets: {"p/a/b<": ok}, select: {property: "zreplctl:backup=daily"}`, "p/a/b", 2},
		{`datasets: {"p/a": ok, "p/a/c": ok, "p/none": ok}, select: {property: "zreplctl:backup=daily"}`, "p/a", 1},
		{`datasets: {"p/a<": ok, "p/a/b": "!"}, select: {property: "zreplctl:backup=daily"}`, "p/a", 1},
		{`datasets: {"p/a<": ok}, select: {property: "zreplctl:backup=Daily"}`, "", 1},
		{`datasets: {"p/a<": "!"}, select: {property: "zreplctl:backup=daily"}`, "", 0},
		{`datasets: {"p/a<": ok}, select: {property: "zreplctl:other=daily"}`, "", 1},
	} {
		ran = nil
		j, err := Look(ctx, z, job(t, "type: autosnap, snapshot_prefix: x_, "+c.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := chosen(j); got != c.want || len(ran) != c.commands {
			t.Errorf("%s: %q with %q", c.text, got, ran)
		}
		if some := None(j) == nil; some != (c.want != "" || c.commands == 0) {
			t.Errorf("%s: %v", c.text, None(j))
		}
		again, err := Look(ctx, z, j) // of one that was narrowed
		if err != nil || chosen(again) != c.want {
			t.Errorf("%s, again: %q, %v", c.text, chosen(again), err)
		}
	}
	ran = nil
	plain := job(t, `type: autosnap, snapshot_prefix: x_, datasets: {"<": ok}`)
	if j, err := Look(ctx, z, plain); j != plain || err != nil || len(ran) > 0 {
		t.Errorf("without select: %v, %q", err, ran)
	}
}

// TestFailureElsewhere: a dataset that the rules leave out stops nothing if it
// cannot be read, and the others are judged as before.
func TestFailureElsewhere(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/a/b/c", "p/a/secret")
	run(t, nil, "set", property+"=daily", "p/a/b")
	const fault = "on=get match=-r from=1 fail=1 message=cannot open 'p/a/secret': I/O error"
	t.Setenv("ZFS_SIM_FAULTS", fault)
	for rules, want := range map[string]string{
		`"p/a<": ok, "p/a/secret<": "!"`:                  "p/a/b p/a/b/c",
		`"p/a<": ok, "p/a/secret<": "!", "p/a/b<": "!"`:   "",
		`"p/a/b/c<": ok, "p/a/secret<": ok, "p/a/b": "!"`: "error", // all that is listed is allowed
		`"p/a<": ok`: "error",
	} {
		j, err := Look(ctx, z, job(t, `type: autosnap, snapshot_prefix: x_, datasets: {`+rules+`}, select: {property: "zreplctl:backup=daily"}`))
		switch {
		case want == "error":
			if err == nil || !strings.Contains(err.Error(), "I/O error") {
				t.Errorf("%s: %v, %v", rules, j, err)
			}
		case err != nil || chosen(j) != want:
			t.Errorf("%s: %v, %v", rules, err, j)
		}
	}
	// What is allowed must still be read.
	t.Setenv("ZFS_SIM_FAULTS", fault+"; on=get match=p/a/b from=1 fail=1 message=cannot open 'p/a/b': I/O error")
	if _, err := Look(ctx, z, job(t, `type: autosnap, snapshot_prefix: x_, datasets: {"p/a<": ok, "p/a/secret": "!"}, select: {property: "zreplctl:backup=daily"}`)); err == nil || !strings.Contains(err.Error(), "'p/a/b'") {
		t.Error(err)
	}
}

// forged are values that give themselves a source, and go on with a dataset of
// their own, which takes the true one. Whoever sends a stream can choose them.
var forged = []string{
	"daily\tlocal\np/in/nosuch\ttype\tfilesystem\t-\np/in/nosuch\t" + property + "\tq",
	"daily\tinherited from p\np/in/nosuch\ttype\tfilesystem\t-\np/in/nosuch\t" + property + "\tq",
	"daily\tlocal\np/in/evil\tguid\t1\t-\np/in/nosuch\ttype\tfilesystem\t-\np/in/nosuch\t" + property + "\tq",
	"x\tinherited from p/nosuch\np/in/nosuch\ttype\tfilesystem\t-\np/in/nosuch\t" + property + "\tq",
	"x\tlocal\np/in/good\ttype\tfilesystem\t-\np/in/good\t" + property + "\tx",
}

// TestForgedSource: a received value cannot say that it was set here, nor does
// it stop anything, be it on a dataset that the rules allow, on one that they
// leave out, or on one above them.
func TestForgedSource(t *testing.T) {
	z := host(t, "p/q", "p/in", "p/in/good")
	run(t, nil, "set", property+"=daily", "p/in/good")
	for i, value := range forged {
		run(t, nil, "set", property+"="+value, "p/q")
		run(t, nil, "snapshot", fmt.Sprintf("p/q@%d", i))
		stream := run(t, nil, "send", "-p", fmt.Sprintf("p/q@%d", i))
		run(t, stream, "receive", "-u", "p/in/evil")
		run(t, nil, "create", "p/in/evil/below")
		for rules, want := range map[string]string{
			`"p/in<": ok`:                      "p/in/good",
			`"p/in<": ok, "p/in/evil<": "!"`:   "p/in/good",
			`"p/in<": ok, "p/in/good<": "!"`:   "",
			`"p/in/evil/below": ok`:            "",
			`"p/in/evil": ok, "p/in/good": ok`: "p/in/good",
		} {
			j, err := Look(ctx, z, job(t, `type: autosnap, snapshot_prefix: x_, datasets: {`+rules+`}, select: {property: "zreplctl:backup=daily"}`))
			if err != nil || chosen(j) != want {
				t.Errorf("%q, %s: %v, %v", value, rules, j, err)
			}
		}
		run(t, nil, "destroy", "-r", "p/in/evil")
	}
}

// TestFailure: what cannot be read fails, and is not taken for not chosen.
func TestFailure(t *testing.T) {
	z := host(t, "p/a", "p/a/b")
	run(t, nil, "set", property+"=daily", "p")
	j := job(t, `type: prune, snapshot_prefix: x_, keep: [{type: last_n, count: 1}], datasets: {"p/a<": ok}, select: {property: "zreplctl:backup=daily"}`)
	for n := 1; n <= 2; n++ {
		t.Setenv("ZFS_SIM_FAULTS", fmt.Sprintf("on=get from=%d fail=1 message=cannot open 'p/a/b': I/O error", n))
		if narrow, err := Look(ctx, z, j); err == nil || !strings.Contains(err.Error(), "I/O error") {
			t.Errorf("command %d: %v, %v", n, narrow, err)
		}
	}
}

// TestOddValues: no value of one dataset speaks for another.
func TestOddValues(t *testing.T) {
	z := host(t, "p/a", "p/a/b", "p/a/c")
	j := job(t, `type: autosnap, snapshot_prefix: x_, datasets: {"p<": ok}, select: {property: "zreplctl:backup=daily"}`)
	for _, value := range []string{"x\np/a/c\t" + property + "\tdaily\tlocal", "daily\n", "\ndaily", "daily\tlocal", "x\tdaily", strings.Repeat("daily", 1600),
		"x\np/a/b\ttype\tfilesystem\t-\np/a/b\t" + property + "\tdaily\tlocal", "-", ""} {
		run(t, nil, "set", property+"="+value, "p/a")
		narrow, err := Look(ctx, z, j)
		if err != nil || chosen(narrow) != "" {
			t.Errorf("%.80q: %q, %v", value, chosen(narrow), err)
		}
	}
}

// world is what the commands of a history have made, by the rules of ZFS.
type world struct {
	names                    []string
	local, received, covered map[string]string // covered: received, and inherited over
}

// decides says, going up, which value a dataset has, and whether somebody set
// it.
func (w *world) decides(name string) (value string, set bool) {
	for at := name; at != ""; at = dataset.Parent(at) {
		if v, ok := w.local[at]; ok {
			return v, true
		}
		if v, ok := w.received[at]; ok && w.covered[at] == "" {
			return v, false
		}
	}
	return "", false
}

// TestHistories sets, inherits, receives and clears at random, and compares
// with the rules in their simplest form.
func TestHistories(t *testing.T) {
	rounds := 8
	if os.Getenv("ZT_HEAVY") != "" {
		rounds = 200
	}
	r := rand.New(rand.NewPCG(7, 20))
	hits := 0
	for round := range rounds {
		z := host(t, "p/a", "p/q")
		streams := map[string][]byte{}
		for _, value := range []string{"daily", "weekly"} {
			run(t, nil, "set", property+"="+value, "p/q")
			run(t, nil, "snapshot", "p/q@"+value)
			streams[value] = run(t, nil, "send", "-p", "p/q@"+value)
		}
		run(t, nil, "destroy", "-r", "p/q")
		w := &world{names: []string{"p", "p/a"}, local: map[string]string{}, received: map[string]string{}, covered: map[string]string{}}
		for range 25 {
			w.step(t, r, streams)
		}
		rules := []string{`"<": ok`, `"p/a<": ok`, `"p/a<": ok, "p/a/1<": "!"`, `"p/a": ok, "p": ok`}[round%4]
		j := job(t, `type: autosnap, snapshot_prefix: x_, datasets: {`+rules+`}, select: {property: "zreplctl:backup=daily"}`)
		narrow, err := Look(ctx, z, j)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range w.names {
			value, set := w.decides(name)
			want := set && value == "daily" && j.Datasets.Pass(name)
			if got := narrow.Sources().Pass(name); got != want {
				t.Errorf("round %d: %s: %v, want %v\n%s", round, name, got, want, run(t, nil, "get", "-r", property, "p"))
			}
			if want {
				hits++
			}
		}
	}
	if hits < rounds {
		t.Errorf("only %d were chosen", hits)
	}
}

// step does one thing to a dataset.
func (w *world) step(t *testing.T, r *rand.Rand, streams map[string][]byte) {
	name := w.names[r.IntN(len(w.names))]
	value := []string{"daily", "daily", "weekly"}[r.IntN(3)]
	fresh := fmt.Sprintf("%s/%d", name, len(w.names))
	switch r.IntN(7) {
	case 0, 1:
		run(t, nil, "create", fresh)
		w.names = append(w.names, fresh)
	case 2:
		run(t, streams[value], "receive", "-u", fresh)
		w.names = append(w.names, fresh)
		w.received[fresh] = value
	case 3, 4:
		run(t, nil, "set", property+"="+value, name)
		w.local[name] = value
	case 5:
		run(t, nil, "inherit", property, name)
		delete(w.local, name)
		if w.received[name] != "" {
			w.covered[name] = "yes"
		}
	case 6:
		run(t, nil, "inherit", "-S", property, name)
		delete(w.local, name)
		delete(w.covered, name)
	}
	slices.Sort(w.names)
}
