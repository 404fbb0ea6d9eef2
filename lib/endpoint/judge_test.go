package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// lines answers a list with lines of JSON, whatever is asked.
func lines(text ...string) func(context.Context, transfer.ListRequest) (iter.Seq2[json.RawMessage, error], error) {
	return func(context.Context, transfer.ListRequest) (iter.Seq2[json.RawMessage, error], error) {
		return func(yield func(json.RawMessage, error) bool) {
			for _, t := range text {
				if !yield(json.RawMessage(t), nil) {
					return
				}
			}
		}, nil
	}
}

// replies answers any request with a value of JSON.
func replies(text string) func(context.Context, json.RawMessage) (json.RawMessage, error) {
	return func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(text), nil }
}

// TestListOfLies: what cannot be in a list costs the dataset that it is of.
func TestListOfLies(t *testing.T) {
	good := `{"kind":64,"name":"s1","guid":1,"createtxg":1}`
	server := &rpc.Server{}
	server.Handle("list", lines(
		`{"name":"a/good","versions":[`+good+`]}`,
		`{"name":"a/esc\u001b[31m","versions":[`+good+`]}`,
		`{"name":"","versions":[`+good+`]}`,
		`{"name":"`+strings.Repeat("a", 5000)+`"}`,
		`{"name":"a/guid0","versions":[{"kind":64,"name":"s1","guid":0,"createtxg":1}]}`,
		`{"name":"a/guidtext","versions":[{"kind":64,"name":"s1","guid":"7","createtxg":1}]}`,
		`{"name":"a/huge","versions":[{"kind":64,"name":"s1","guid":99999999999999999999999,"createtxg":1}]}`,
		`{"name":"a/snap","versions":[{"kind":64,"name":"s\u202e","guid":1,"createtxg":1}]}`,
		`{"name":"a/kind","versions":[{"kind":33,"name":"s1","guid":1,"createtxg":1}]}`,
		`{"name":"a/long","versions":[{"kind":64,"name":"`+strings.Repeat("s", 255)+`","guid":1,"createtxg":1}]}`,
		`{"name":"a/same","versions":[`+good+`,`+good+`]}`,
		`{"name":"a/twice","versions":[`+good+`]}`,
		`{"name":"a/last","versions":[`+good+`]}`,
		`{"name":"a/twice","versions":[`+good+`]}`,
		`["no object"]`,
	))
	list, err := RemoteSender{serving(t, server)}.List(t.Context(), transfer.ListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var fine []string
	bad := 0
	for _, d := range list {
		switch {
		case d.Illegal == "":
			fine = append(fine, d.Name)
		case d.Versions != nil || !clean.Plain(d.Illegal):
			t.Errorf("%q: %q", d.Name, d.Illegal)
		default:
			bad++
		}
	}
	if fmt.Sprint(fine) != "[a/good a/last]" || bad != 11 {
		t.Errorf("%q are fine, %d are not", fine, bad)
	}
}

// TestAnswersOfLies: of a map from elsewhere what was asked for counts, as far
// as it can be read.
func TestAnswersOfLies(t *testing.T) {
	server := &rpc.Server{}
	in := transfer.Holds{Hold: []transfer.Snap{{Dataset: "a/x", Name: "s", GUID: 1}, {Dataset: "a/y", Name: "s", GUID: 1}, {Dataset: "a/z", Name: "s", GUID: 1}}}
	server.Handle("protect", replies(`{"a/x":{"text":"\u001b[2J`+strings.Repeat("x", 9000)+`","code":"\u001b[2J"},"a/y":7,"a/z":{"code":"gone"},"other":{"text":"not asked"}}`))
	server.Handle("targets", replies(`{"a/x":"b/x","a/y":[]}`))
	server.Handle("since", replies(`{"b/x":7,"b/y":"x","b/z":-1}`))
	server.Handle("takes", func(context.Context, struct{}) (json.RawMessage, error) {
		return json.RawMessage(`{"lacks":{"b":["evil\u202e","lz4_compress","lz4_compress"]}}`), nil
	})
	pool := serving(t, server)
	bad, err := RemoteSender{pool}.Protect(t.Context(), in)
	if err != nil || len(bad) != 3 || bad["a/y"].Err() == nil || len(bad["a/x"].Text) > maxProblem || !clean.Plain(bad["a/x"].Text) {
		t.Errorf("%d problems: %v", len(bad), err)
	}
	if bad["a/x"].Code != "" || bad["a/y"].Code != "" || !errors.Is(bad["a/z"].Err(), fault.Gone) || bad["a/z"].Text == "" {
		t.Errorf("codes %q %q, and %+v", bad["a/x"].Code, bad["a/y"].Code, bad["a/z"])
	}
	r := RemoteReceiver{Pool: pool} // its role was looked at in the call before
	if got, err := r.Targets(t.Context(), []string{"a/x", "a/y"}); err != nil || len(got) != 1 || got["a/x"] != "b/x" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := r.Since(t.Context(), []transfer.Snap{{Dataset: "b/x"}}); err != nil || len(got) != 1 || got["b/x"] != 7 {
		t.Errorf("%v, %v", got, err)
	}
	server.Handle("apply", func(context.Context, []transfer.Settings) (json.RawMessage, error) {
		return json.RawMessage(`{"problems":{"b/x":{"text":"\u001b[2Jno"},"b/y":{},"other":{"text":"not asked"}},"left":{"b/x":"a\u202eb","other":"x"}}`), nil
	})
	if got, err := r.Apply(t.Context(), []transfer.Settings{{Dataset: "b/x"}, {Dataset: "b/y"}}); err != nil || fmt.Sprint(got) != "{map[b/x:{[2Jno } b/y:{the far side does not say why }] map[b/x:ab]}" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := r.Takes(t.Context(), struct{}{}); err != nil || fmt.Sprint(got.Lacks) != "map[b:[lz4_compress]]" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestMask(t *testing.T) {
	s := &Sender{Tag: cursor.Tag("source", "me")}
	bookmark := func(name string, g dataset.GUID) dataset.Version {
		return dataset.Version{Kind: dataset.Bookmark, Name: name, GUID: g, CreateTXG: uint64(g)}
	}
	mine, theirs := cursor.Bookmark(s.Tag, 1), cursor.Bookmark(cursor.Tag("source", "bob"), 2)
	in := []dataset.Version{bookmark(mine, 1), bookmark(cursor.Bookmark(cursor.Tag("push", "job"), 1), 1), bookmark("kept", 3),
		bookmark(theirs, 2), bookmark(cursor.Bookmark(cursor.Tag("source", "eve"), 2), 2), {Kind: dataset.Snapshot, Name: "s", GUID: 4},
		bookmark(cursor.Bookmark(cursor.Tag("source", "bob"), 4), 4)}
	if got := fmt.Sprint(s.maskVersions(in)); got != "[#"+mine+" #kept #zreplctl_cursor_0000000000000002 @s]" {
		t.Error(got)
	}
}
