package stream

import (
	"reflect"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

func parseExpect(words ...string) (e Expect, err error) {
	for _, w := range words {
		if err := e.Set(w); err != nil {
			return e, err
		}
	}
	e.given = false
	return e, e.Check()
}

func TestExpectWords(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  Expect
	}{
		{[]string{"to=18446744073709551615,from=7"}, Expect{To: []Snapshot{{GUID: 1<<64 - 1}}, From: 7}},
		{[]string{"to=5@a b:c-1.2"}, Expect{To: []Snapshot{{5, "a b:c-1.2"}}}},
		{[]string{"from=1,raw", "to=2@a", "to=3@b,volume"}, Expect{From: 1, To: []Snapshot{{2, "a"}, {3, "b"}}, SendOptions: dataset.SendOptions{Raw: true}, Volume: true}},
		{[]string{"to=2,large_blocks,compressed,embedded,resumed"}, Expect{To: []Snapshot{{GUID: 2}}, SendOptions: dataset.SendOptions{LargeBlocks: true, Compressed: true, Embedded: true}, Resumed: true}},
		{[]string{"to=2@a,clone,from=1"}, Expect{From: 1, To: []Snapshot{{2, "a"}}, Clone: true}},
	} {
		got, err := parseExpect(c.words...)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v", c.words, got, err)
		}
		again, err := parseExpect(got.Words()...)
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q: %q reads as %+v, %v", c.words, got.Words(), again, err)
		}
	}
	for _, bad := range []string{"", "from=3", "to=0", "to=-1", "to=1,to=2", "to=1,from=1", "to=1,from=2,from=3", "to=1,", "to=1,x",
		"TO=1", "to=1 ", "to=1,raw,raw", "to=1@", "to=1@a@b", "to=1@a/b", "to=1@-\n", "to=1@a,to=2@b", "from=9,to=1@a,to=2@a",
		"from=9,to=1@a,to=1@b", "from=9,to=1@a,to=2@b,resumed", "to=1,clone", "from=9,to=1,clone,clone", "from=9,to=1@a,to=2@b,clone", "to=1,chain", "to=1,properties"} {
		if got, err := parseExpect(bad); err == nil {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}

// A long chain is several arguments, none of which is too long for one.
func TestLongExpectation(t *testing.T) {
	e := Expect{From: 1}
	for i := range MaxChain {
		e.To = append(e.To, Snapshot{dataset.GUID(i + 2), strings.Repeat("n", 200) + string(rune('a'+i%26)) + dataset.GUID(i).String()})
	}
	words := e.Words()
	for _, w := range words {
		if len(w) > 32<<10 {
			t.Errorf("an argument of %d bytes", len(w))
		}
	}
	if got, err := parseExpect(words...); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%d snapshots: %v", len(got.To), err)
	}
	e.To = append(e.To, Snapshot{9999999, "z"})
	if e.Check() == nil {
		t.Error("a chain of any length is accepted")
	}
}
