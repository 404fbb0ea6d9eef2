package state

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// TestVerified: what is noted is kept until it is replaced or removed, and a
// damaged note is an error for those who read it.
func TestVerified(t *testing.T) {
	d := In(t.TempDir())
	v := d.Verified("j")
	is := func(what string, want map[string]Verification) {
		t.Helper()
		got, err := v.Read()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, want -, got +:\n%s", what, err, diff)
		}
	}
	update := func(found map[string]Verification, gone ...string) {
		t.Helper()
		if err := v.Update(found, gone); err != nil {
			t.Fatal(err)
		}
	}
	is("nothing", map[string]Verification{})
	x := Verification{Source: "a/x", Tried: 5, At: 4, GUID: 1<<64 - 1, TXG: 9, Failed: 3, Why: "I/O error",
		Differing: []Differing{{At: 4, Snapshot: "s", GUID: 1<<64 - 1, TXG: 9, Why: "objects differ: 1"}}}
	y := Verification{Source: "a/y", Tried: 6}
	update(map[string]Verification{"b/x": x, "b/y": {Tried: 1}})
	update(map[string]Verification{"b/y": y})
	is("two updates", map[string]Verification{"b/x": x, "b/y": y})
	update(nil, "b/x", "b/none")
	is("one is gone", map[string]Verification{"b/y": y})
	x.Why = strings.Repeat("x\n", 500)
	for n := range MaxDiffering + 2 {
		x.Differing = append(x.Differing, Differing{GUID: dataset.GUID(n + 1), Why: x.Why})
	}
	update(map[string]Verification{"b/x": x})
	if all, _ := v.Read(); len(all["b/x"].Differing) != MaxDiffering || len(all["b/x"].Differing[9].Why) > maxVerifiedWhy || all["b/x"].Differing[MaxDiffering-1].GUID != MaxDiffering+2 {
		t.Errorf("too much is noted: %+v", all["b/x"])
	}
	if all, _ := v.Read(); len(all["b/x"].Why) > maxVerifiedWhy || strings.Contains(all["b/x"].Why, "\n") {
		t.Errorf("%q", all["b/x"].Why)
	}
	good, err := d.Read("j.verified", maxVerified)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) - 1 {
		os.WriteFile(d.Path("j.verified"), good[:n], 0o600)
		if got, err := v.Read(); err == nil {
			t.Errorf("cut to %d bytes: %v", n, got)
		}
	}
	cut, _ := os.ReadFile(d.Path("j.verified"))
	if err := v.Update(map[string]Verification{"b/y": y}, nil); !errors.Is(err, ErrDamaged) || v.Lost() != "" {
		t.Errorf("a damaged note: %v, %s", err, v.Lost())
	}
	if path, err := v.SetAside(); err != nil || path != d.Path("j.verified.damaged") || v.Lost() != path {
		t.Errorf("set aside: %s, %v, %s", path, err, v.Lost())
	}
	if text, _ := os.ReadFile(v.Lost()); string(text) != string(cut) {
		t.Errorf("what was set aside: %q", text)
	}
	update(map[string]Verification{"b/y": y})
	is("a new note", map[string]Verification{"b/y": y})
	if err := v.Regained(); err != nil || v.Lost() != "" {
		t.Error(err, v.Lost())
	}
	if err := errors.Join(os.Remove(d.Path("j.verified")), os.Mkdir(d.Path("j.verified"), 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := v.Update(map[string]Verification{"b/y": y}, nil); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a directory: %v", err)
	}
	if got, err := (Dir{}).Verified("j").Read(); err != nil || len(got) > 0 {
		t.Errorf("without a directory: %v, %v", got, err)
	}
}

// The oldest are forgotten if there are too many, but not those that differ.
func TestVerifiedMany(t *testing.T) {
	all := map[string]Verification{}
	for n := range maxVerifiedEach + 3 {
		all[fmt.Sprintf("b/%d", n)] = Verification{Tried: int64(n)}
	}
	all["b/1"] = Verification{Tried: 1, Differing: []Differing{{GUID: 1}}}
	forgetOldest(all)
	if _, ok := all["b/1"]; len(all) != maxVerifiedEach || !ok {
		t.Errorf("%d are left, the one that differs: %v", len(all), ok)
	}
	for n, want := range map[int]bool{0: false, 2: false, 3: false, 4: true} {
		if _, ok := all[fmt.Sprintf("b/%d", n)]; ok != want {
			t.Errorf("b/%d is kept: %v", n, ok)
		}
	}
}
