package endpoint

import (
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
)

func TestCursorNames(t *testing.T) {
	tag := cursor.Tag("source", "host_1.example")
	mark := cursor.Bookmark(tag, 0xab)
	if mark != "zreplctl_source_host_1.example_00000000000000ab" {
		t.Errorf("bookmark %q", mark)
	}
	for name, want := range map[string]bool{
		mark: true, tag: false, tag + "_": false, tag + "_00000000000000aB": false, tag + "_000000000000000ab": false,
		cursor.Bookmark(cursor.Tag("source", "host_1"), 1):           false,
		cursor.Bookmark(cursor.Tag("source", "host_1.example_2"), 1): false,
		cursor.Bookmark(cursor.Tag("push", "host_1.example"), 1):     false,
		"x" + mark: false, strings.ToUpper(mark): false,
	} {
		if cursor.Is(tag, name) != want {
			t.Errorf("%q of %q: not %v", name, tag, want)
		}
	}
	if got, ok := cursor.TagOf(mark); !ok || got != tag {
		t.Errorf("tag %q, %v", got, ok)
	}
	for _, bad := range []string{"", "zreplctl_", "zreplctl_00000000000000ab", "other_source_x_00000000000000ab", tag} {
		if got, ok := cursor.TagOf(bad); ok {
			t.Errorf("%q has tag %q", bad, got)
		}
	}
}

// TestJudgeFrame tells the ends of a stream apart.
func TestJudgeFrame(t *testing.T) {
	for _, test := range []struct {
		line string
		code int
		want string // "": good
	}{
		{`{"outcome":"done","exit":0,"bytes":7}`, 0, ""},
		{`{"outcome":"done","exit":0,"bytes":7}`, 137, "exit status 137"},
		{``, 0, "said nothing"},
		{``, 1, "exit status 1"},
		{`{"outcome":"cut","error":"the stream was cut"}`, 1, "cannot receive the stream: the stream was cut"},
		{`{"outcome":"producer-failed","trailer":{"exit":3,"stderr":"cannot\u001b[2J open\nsecond"}}`, 1, "zfs send on the sender: cannot[2J open; second"},
		{`{"outcome":"producer-failed","trailer":{"exit":137,"signal":"SIGKILL"}}`, 1, "killed by SIGKILL"},
		{`{"outcome":"producer-failed","trailer":{"reason":"stopped"}}`, 1, "sender: stopped"},
		{`{"outcome":"command-failed","command":{"exit":1,"stderr":"cannot receive: x"}}`, 1, "zfs receive: cannot receive: x"},
		{`{"outcome":"refused","error":"the stream is refused: it is a package"}`, 1, "refused"},
	} {
		_, err := judgeFrame(strings.NewReader(test.line), child.Status{Code: test.code})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %d: %v, not %q", test.line, test.code, err, test.want)
		}
	}
}
