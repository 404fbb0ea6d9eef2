package endpoint

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/digest"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A far side without the call is told apart from all other failures.
func TestOldPeer(t *testing.T) {
	_, err := RemoteSender{servingAs(t, &rpc.Server{}, SourceRole)}.Digest(t.Context(), transfer.DigestRequest{Dataset: "a"})
	unable, ok := err.(interface{ Unable() bool })
	if !ok || !unable.Unable() || err.Error() != "the far side's zreplctl is too old for verify" {
		t.Errorf("%v", err)
	}
}

// What cannot be a digest is none, and objects that were not asked about are
// not taken.
func TestHostileDigests(t *testing.T) {
	sum := strings.Repeat("a1", 32)
	groups := base64.StdEncoding.EncodeToString(make([]byte, digest.GroupsSize))
	whole := fmt.Sprintf(`"version": 1, "sum": %q, "objects": 3, "groups": %q`, sum, groups)
	object := func(n uint64) string { return fmt.Sprintf(`{"object": %d, "sum": %q}`, n, sum) }
	for text, good := range map[string]bool{
		`{` + whole + `}`: true,
		`{` + whole + `, "each": [` + object(1) + `,` + object(31) + `]}`:                                                                true,
		`{` + whole + `, "each": [` + object(2) + `,` + object(1) + `]}`:                                                                 false,
		`{` + whole + `, "each": [` + object(1) + `,` + object(1) + `]}`:                                                                 false,
		`{` + whole + `, "each": [` + object(32) + `]}`:                                                                                  false,
		`{` + whole + `, "each": [{"object": 1, "sum": "x"}]}`:                                                                           false,
		`{` + whole + `, "each": [` + strings.Repeat(object(1)+",", transfer.MaxObjects) + object(1) + `]}`:                              false,
		`{"version": 1, "groups": "` + groups + `"}`:                                                                                     false,
		`{"version": 1, "sum": "` + sum + `"}`:                                                                                           false,
		`{"version": 1, "sum": "` + sum + `00", "groups": "` + groups + `"}`:                                                             false,
		`{"version": 1, "sum": "` + strings.ToUpper(sum) + `", "groups": "` + groups + `"}`:                                              false,
		`{"version": 1, "sum": "` + sum + `", "groups": "` + groups[:100] + `"}`:                                                         false,
		`{"version": 1, "sum": "` + sum + `", "groups": "` + base64.StdEncoding.EncodeToString(make([]byte, 3*digest.GroupsSize)) + `"}`: false,
	} {
		server := &rpc.Server{}
		server.Handle("digest", replies(text))
		got, err := RemoteReceiver{Pool: servingAs(t, server, SinkRole)}.Digest(t.Context(), transfer.DigestRequest{Dataset: "a", Groups: []int{0}})
		if (err == nil) != good || !good && got.Sum != "" {
			t.Errorf("%.200s: %v", text, err)
		}
	}
}

// Digests of two versions are not compared: neither side takes the other's.
func TestOtherVersions(t *testing.T) {
	const says = "the other host computes digests of another version"
	sum, groups := strings.Repeat("a1", 32), base64.StdEncoding.EncodeToString(make([]byte, digest.GroupsSize))
	for _, version := range []string{"", `"version": 2, `} {
		server := &rpc.Server{}
		server.Handle("digest", replies(fmt.Sprintf(`{%s"sum": %q, "objects": 3, "groups": %q}`, version, sum, groups)))
		in := transfer.DigestRequest{Version: digest.Version, Dataset: "a", Name: "s", GUID: 1}
		if got, err := (RemoteSender{servingAs(t, server, SourceRole)}).Digest(t.Context(), in); err == nil || err.Error() != says || got.Sum != "" {
			t.Errorf("a reply with %q: %+v, %v", version, got, err)
		}
	}
	for _, version := range []int{0, 2} {
		in := transfer.DigestRequest{Version: version, Dataset: "a", Name: "s", GUID: 1}
		if _, err := (&digesting{}).run(t.Context(), in); err == nil || err.Error() != says {
			t.Errorf("a request of version %d: %v", version, err)
		}
	}
}
