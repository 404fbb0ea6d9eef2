package plan

import (
	"strconv"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// vs makes versions from words such as "@a:1 #m:1 @b:2": the number is the
// guid, and the place is the createtxg. A bookmark takes its snapshot's.
func vs(words string) []dataset.Version {
	var out []dataset.Version
	for i, w := range strings.Fields(words) {
		name, guid, _ := strings.Cut(w[1:], ":")
		g, err := strconv.ParseUint(guid, 10, 64)
		if err != nil {
			panic(err)
		}
		v := dataset.Version{Kind: dataset.Kind(w[0]), Name: name, GUID: dataset.GUID(g), CreateTXG: uint64(10 * (i + 1))}
		for _, o := range out {
			if o.GUID == v.GUID {
				v.CreateTXG = o.CreateTXG
			}
		}
		out = append(out, v)
	}
	return out
}

func TestOne(t *testing.T) {
	long := "p/" + strings.Repeat("x", 172)
	merge, all := Policy{Merge: true}, Policy{Initial: Every}
	plain := &Receiver{}
	has := func(words string) *Receiver { return &Receiver{Versions: vs(words)} }
	with := func(r *Receiver, change func(*Receiver)) *Receiver { change(r); return r }
	withoutX := rules("", "^x")
	for _, c := range []struct {
		name   string
		sender string
		recv   *Receiver
		p      Policy
		in     Input
		want   string // steps joined by comma, or the reason
		text   string // words that the conflict or the discard must hold, joined by |
	}{
		{name: "first", sender: "@a:1 @b:2", want: "full >@b"},
		{name: "first of all", sender: "@a:1 @b:2 @c:3", p: all, want: "full >@a,incremental @a>@b,incremental @b>@c"},
		{name: "nothing", sender: "", want: "no-snapshots"},
		{name: "only bookmarks", sender: "#a:1", want: "no-snapshots", text: "bookmarks and no snapshot"},
		{name: "none wanted", sender: "@a:1", p: Policy{Prefix: "z_"}, want: "none-wanted", text: "@a, and the job sends none of them"},
		{name: "none wanted any more", sender: "@a:1 @b:2", recv: has("@a:1"), p: Policy{Prefix: "z_"}, want: "none-wanted"},
		{name: "the base alone wanted", sender: "@z_a:1 @b:2", recv: has("@z_a:1"), p: Policy{Prefix: "z_"}, want: "uptodate"},
		{name: "partial of another dataset", sender: "@a:1", recv: &Receiver{Partial: &Partial{To: 9, Of: "src/other"}}, want: "foreign-partial", text: "src/other"},
		{name: "some excluded", sender: "@a:1 @xb:2 @c:3", recv: has("@a:1"), p: Policy{Rules: withoutX}, want: "incremental @a>@c"},
		{name: "some excluded, one stream", sender: "@a:1 @b:2 @xb:3 @c:4", recv: has("@a:1"), p: Policy{Rules: withoutX, Merge: true}, want: "incremental @a>@b,incremental @b>@c"},
		{name: "excluded at the ends of one stream", sender: "@a:1 @x1:2 @b:3 @c:4 @x2:5", recv: has("@a:1"), p: Policy{Rules: withoutX, Merge: true}, want: "incremental @a>@b,incremental @b>@c"},
		{name: "regex instead of the prefix", sender: "@a:1 @z_b:2 @c:3", recv: has("@a:1"), p: Policy{Prefix: "z_", Rules: rules("^[ac]$")}, want: "incremental @a>@c"},
		{name: "exclude besides the prefix", sender: "@a:1 @z_b:2 @c:3 @z_d:4", recv: has("@a:1"), p: Policy{Prefix: "z_", Rules: rules("", "d")}, want: "incremental @a>@z_b"},
		{name: "exclude besides the regex", sender: "@a:1 @ab:2 @ac:3", recv: has("@a:1"), p: Policy{Rules: rules("a", "b")}, want: "incremental @a>@ac"},
		{name: "all excluded", sender: "@xa:1", p: Policy{Rules: withoutX}, want: "none-chosen", text: `the source has @xa, and none of these is sent: names must start with "" and do not match "^x"`},
		{name: "none matches", sender: "@a:1 @b:2", p: Policy{Prefix: "a", Rules: rules("_weekly")}, want: "none-chosen", text: `names must match "_weekly"`},
		{name: "none matches, over a placeholder", sender: "@a:1", recv: &Receiver{Placeholder: true}, p: Policy{Rules: rules("_weekly")}, want: "none-chosen"},
		{name: "none matches, and the target is somebody's", sender: "@a:1", recv: plain, p: Policy{Rules: rules("_weekly")}, want: "unrelated"},
		{name: "the prefix fits none, and one is excluded", sender: "@xa:1", p: Policy{Prefix: "z_", Rules: withoutX}, want: "none-wanted"},
		{name: "the prefix fits none any more, with rules", sender: "@a:1 @b:2", recv: has("@a:1"), p: Policy{Prefix: "z_", Rules: withoutX}, want: "none-wanted"},
		{name: "all with the prefix excluded, and a base", sender: "@z_xa:1 @b:2", recv: has("@b:2"), p: Policy{Prefix: "z_", Rules: rules("", "xa")}, want: "uptodate"},
		{name: "what is chosen is marked for destruction", sender: "@wa:1 @b:2", p: Policy{Rules: rules("^w")}, in: Input{Deferred: map[dataset.GUID]bool{1: true}}, want: "none-chosen", text: "marked for destruction"},
		{name: "what has the prefix is marked for destruction", sender: "@wa:1 @b:2", p: Policy{Prefix: "w"}, in: Input{Deferred: map[dataset.GUID]bool{1: true}}, want: "none-wanted"},
		{name: "nothing chosen since a bookmark", sender: "#m:1 @xb:2", recv: has("@a:1"), p: Policy{Rules: withoutX}, want: "uptodate"},
		{name: "nothing chosen since a snapshot", sender: "@a:1 @b:2", recv: has("@a:1"), p: Policy{Rules: rules("_weekly")}, want: "uptodate"},
		{name: "nothing chosen, and the base left out", sender: "@a:1 @xb:2", recv: has("@xb:2"), p: Policy{Rules: rules("", ".")}, want: "uptodate"},
		{name: "nothing chosen, and nothing in common", sender: "@a:1", recv: has("@b:2"), p: Policy{Rules: rules("_weekly")}, want: "unrelated"},
		{name: "only bookmarks, with rules", sender: "#b:2", recv: has("@a:1 @b:2"), p: Policy{Rules: rules("_weekly")}, want: "no-snapshots"},
		{name: "the newest left out", sender: "@a:1 @xb:2", p: Policy{Rules: withoutX}, want: "full >@a"},
		{name: "a base that is left out now", sender: "@xa:1 @b:2", recv: has("@xa:1"), p: Policy{Rules: withoutX}, want: "incremental @xa>@b"},
		{name: "partial of what is left out", sender: "@a:1 @xb:2", recv: &Receiver{Partial: &Partial{To: 2, Of: "src/a"}}, p: Policy{Rules: withoutX}, want: "foreign-partial", text: "it is of @xb of the source, which the job's rules exclude"},
		{name: "partial of what does not match", sender: "@a:1 @b:2", recv: &Receiver{Partial: &Partial{To: 2, Of: "src/a"}}, p: Policy{Rules: rules("a")}, want: "foreign-partial", text: `it is of @b of the source, whose name does not match "a"`},
		{name: "our partial of what is left out now", sender: "@a:1 @xb:2", recv: &Receiver{Partial: &Partial{To: 2, Of: "src/a", Ours: true}}, p: Policy{Rules: withoutX}, want: "full >@a", text: "it is of @xb, which the job no longer sends"},
		{name: "our partial onto a base, left out now", sender: "@a:1 @xb:2 @c:3", recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{To: 2, From: 1, Ours: true} }), p: Policy{Rules: withoutX}, want: "incremental @a>@c", text: "it is of @xb, which the job no longer sends"},
		{name: "our partial, and nothing is chosen now", sender: "@xb:2", recv: &Receiver{Partial: &Partial{To: 2, Of: "src/a", Ours: true}}, p: Policy{Rules: withoutX}, want: "none-chosen", text: "the partial receive is discarded: it is of @xb, which the job no longer sends"},
		{name: "nothing chosen now, and newer ones with the prefix", sender: "@a:1 @b:2", recv: has("@a:1"), p: Policy{Rules: rules("_weekly")}, want: "uptodate", text: "choose none of the source's snapshots now"},
		{name: "nothing chosen now, and no newer ones with the prefix", sender: "@z_a:1 @b:2", recv: has("@z_a:1"), p: Policy{Prefix: "z_", Rules: rules("_weekly")}, want: "uptodate", text: ""},
		{name: "our partial above others, and nothing is chosen now", sender: "@xb:2", recv: &Receiver{Children: true, Partial: &Partial{To: 2, Of: "src/a", Ours: true}}, p: Policy{Rules: withoutX}, want: "partial-parent"},
		{name: "somebody's partial, and nothing is chosen", sender: "@xb:2", recv: &Receiver{Partial: &Partial{To: 2, Of: "src/a"}}, p: Policy{Rules: withoutX}, want: "none-chosen"},
		{name: "partial outside the prefix", sender: "@a:1 @z_b:2", recv: &Receiver{Partial: &Partial{To: 1, Of: "src/a"}}, p: Policy{Prefix: "z_"}, want: "foreign-partial"},
		{name: "partial that nobody can read", sender: "@a:1 @b:2", recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{Foreign: "unreadable"} }), want: "foreign-partial", text: "unreadable"},
		{name: "partial of another, nothing to do", sender: "@a:1", recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{To: 9, Of: "src/other"} }), want: "uptodate"},
		{name: "partial of what is gone", sender: "@a:1 @b:2", recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{To: 9, From: 1, Of: "src/a", Name: "c"} }), want: "incremental @a>@b", text: "guid 9"},
		{name: "refused", sender: "@a:1", p: Policy{Initial: Refuse}, want: "initial-refused"},
		{name: "source rolled back", sender: "@a:1", recv: with(has("@a:1 @b:2"), func(r *Receiver) { r.WrittenBase = WrittenBytes(7) }), want: "diverged", text: "the source has no newer snapshot"},
		{name: "next", sender: "@a:1 @b:2", recv: has("@a:1"), want: "incremental @a>@b"},
		{name: "renamed", sender: "@was:1 @b:2", recv: has("@a:1"), want: "incremental @was>@b"},
		{name: "bookmark", sender: "#m:1 @b:2 @c:3", recv: has("@a:1"), p: merge, want: "incremental #m>@b,incremental @b>@c"},
		{name: "snapshot rather than bookmark", sender: "@a:1 #m:1 @b:2", recv: has("@a:1"), want: "incremental @a>@b"},
		{name: "uptodate", sender: "@a:1 @b:2", recv: has("@a:1 @b:2"), want: "uptodate"},
		{name: "uptodate by bookmark", sender: "@z1:1 #b:2 @b2:3", recv: has("@a:1 @b:2"), p: Policy{Prefix: "z"}, want: "uptodate"},
		{name: "a bookmark, and no snapshot wanted", sender: "#b:2 @b2:3", recv: has("@a:1 @b:2"), p: Policy{Prefix: "z"}, want: "none-wanted", text: "@b2"},
		{name: "bookmarks only", sender: "#b:2", recv: has("@a:1 @b:2"), want: "no-snapshots", text: "bookmarks and no snapshot|@a, @b"},
		{name: "unrelated", sender: "@a:1 @b:2", recv: has("@x:8 @y:9"), want: "unrelated", text: "@a, @b|@x, @y"},
		{name: "empty dataset", sender: "@a:1", recv: plain, want: "unrelated", text: "no snapshot, and is no placeholder|@a"},
		{name: "foreign, unknown", sender: "@a:1 @b:2", recv: has("@a:1 @auto:7"), want: "diverged", text: "@auto|as far as is known|@b"},
		{name: "foreign, unchanged", sender: "@a:1 @b:2", want: "incremental @a>@b",
			recv: with(has("@a:1 @auto:7"), func(r *Receiver) { r.WrittenBase = WrittenBytes(0) })},
		{name: "foreign, changed", sender: "@a:1 @b:2", want: "diverged", text: "512 bytes",
			recv: with(has("@a:1 @auto:7"), func(r *Receiver) { r.WrittenBase = WrittenBytes(512) })},
		{name: "source rolled back", sender: "@a:1 @d:4", recv: has("@a:1 @b:2 @c:3"), want: "diverged", text: "@b, @c|@d"},
		{name: "modified", sender: "@a:1 @b:2", want: "modified", text: "4096 bytes|@b",
			recv: with(has("@a:1"), func(r *Receiver) { r.Written = WrittenBytes(4096) })},
		{name: "name taken", sender: "@a:1 @b:2", want: "name-taken", text: "@b will arrive with guid 2|guid 7",
			recv: with(has("@a:1 @b:7"), func(r *Receiver) { r.WrittenBase = WrittenBytes(0) })},
		{name: "name taken before the base", sender: "@a:1 @b:2", recv: has("@b:7 @a:1"), want: "name-taken"},
		{name: "another order", sender: "@a:1 @b:2", recv: has("@b:2 @a:1"), want: "diverged", text: "before"},
		{name: "going", sender: "@a:1 @b:2 @c:3", recv: has("@a:1"), in: Input{Deferred: map[dataset.GUID]bool{2: true, 3: true}},
			want: "incremental @a>@x", text: "-"},
		{name: "older missing", sender: "@d1:1 @d2:2 @h2:3", recv: has("@d1:1 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1, Sent: []dataset.GUID{1}}},
			want: "older-missing", text: "lacks @d2|up to @d1|brought @h2"},
		{name: "older missing, and newer to come", sender: "@d1:1 @d2:2 @h2:3 @d3:4", recv: has("@d1:1 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}},
			want: "older-missing", text: "lacks @d2"},
		{name: "older missing, nested prefixes", sender: "@d1:1 @d2:2 @dh2:3", recv: has("@d1:1 @dh2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1, Sent: []dataset.GUID{1}}},
			want: "older-missing"},
		{name: "older missing, base a bookmark", sender: "@d1:1 @d2:2 #h2:3", recv: has("@d1:1 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}},
			want: "older-missing"},
		{name: "older missing, and modified", sender: "@d1:1 @d2:2 @h2:3 @d3:4", p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}},
			recv: with(has("@d1:1 @h2:3"), func(r *Receiver) { r.Written = WrittenBytes(9) }), want: "older-missing"},
		{name: "older before the last", sender: "@d1:1 @d2:2 @h2:3 @d3:4", recv: has("@d2:2 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 2}},
			want: "incremental @h2>@d3"},
		{name: "older of another prefix", sender: "@d1:1 @x2:2 @h2:3", recv: has("@d1:1 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}}, want: "uptodate"},
		{name: "older going", sender: "@d1:1 @d2:2 @h2:3", recv: has("@d1:1 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}, Deferred: map[dataset.GUID]bool{2: true}}, want: "uptodate"},
		{name: "older there", sender: "@d1:1 @d2:2 @h2:3", recv: has("@d1:1 @d2:2 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}}, want: "uptodate"},
		{name: "older destroyed, sent by the job", sender: "@d1:1 @d2:2 @d3:3", recv: has("@d1:1 @d3:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1, Sent: []dataset.GUID{1, 3}}}, want: "uptodate"},
		{name: "older destroyed, amid what the job sent", sender: "@d1:1 @d2:2 @d3:3 @d4:4", recv: has("@d1:1 @d3:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1, Sent: []dataset.GUID{1, 4}}}, want: "incremental @d3>@d4"},
		{name: "older, the last one gone from the source", sender: "@d2:2 @h2:3", recv: has("@d1:1 @h2:3"), p: Policy{Prefix: "d"}, in: Input{Mine: Mine{Last: 1}}, want: "uptodate"},
		{name: "locked", sender: "@a:1 @b:2", want: "key-not-loaded", text: "key of the target",
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.Locked = true, true })},
		{name: "locked, to resume", sender: "@a:1 @b:2", want: "key-not-loaded",
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.Locked, r.Partial = true, true, &Partial{From: 1, To: 2} })},
		{name: "raw, onto a foreign snapshot", sender: "@a:1 @b:2", want: "diverged", text: "the target has @auto|raw", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}},
			recv: with(has("@a:1 @auto:9"), func(r *Receiver) { r.Encrypted, r.WrittenBase = true, WrittenBytes(0) })},
		{name: "raw, under another's key", sender: "@a:1 @b:2", want: "key-changed", text: `"dst"`, in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}},
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.KeyRoot = true, "dst" })},
		{name: "raw, sent under its root's key", sender: "@a:1 @b:2", want: "incremental @a>@b", in: Input{Encrypted: true, KeyTarget: "dst", Send: dataset.SendOptions{Raw: true}},
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.KeyRoot = true, "dst" })},
		{name: "raw, its own root", sender: "@a:1 @b:2", want: "incremental @a>@b", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}},
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.KeyRoot = true, "dst/a" })},
		{name: "plain, under another's key", sender: "@a:1 @b:2", want: "incremental @a>@b",
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.KeyRoot = true, "dst" })},
		{name: "locked, raw", sender: "@a:1 @b:2", want: "incremental @a>@b", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}},
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.Locked = true, true })},
		{name: "locked, nothing to do", sender: "@a:1", want: "uptodate",
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.Locked = true, true })},
		{name: "features", sender: "@a:1", want: "feature-missing", in: Input{Lacks: []string{"lz4_compress", "large_blocks"}, Send: dataset.SendOptions{Compressed: true}},
			text: "feature@lz4_compress, feature@large_blocks|options c"},
		{name: "features, nothing to do", sender: "@a:1", recv: has("@a:1"), want: "uptodate", in: Input{Lacks: []string{"lz4_compress"}}},
		{name: "resume", sender: "@a:1 @b:2 @c:3", want: "resume @a>@b,incremental @b>@c",
			recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{From: 1, To: 2} })},
		{name: "resume a full", sender: "@a:1 @b:2", recv: &Receiver{Partial: &Partial{To: 1}}, want: "resume >@a,incremental @a>@b"},
		{name: "snapshot of the token gone", sender: "@a:1 @c:3", want: "incremental @a>@c", text: "no longer has the snapshot with guid 2",
			recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{From: 1, To: 2} })},
		{name: "token refused", sender: "@a:1 @b:2", want: "incremental @a>@b", text: "other options",
			recv: with(has("@a:1"), func(r *Receiver) { r.Partial = &Partial{From: 1, To: 2, Unusable: "other options"} })},
		{name: "token of another base", sender: "@a:1 @b:2 @c:3", want: "incremental @b>@c", text: "from guid 1",
			recv: with(has("@a:1 @b:2"), func(r *Receiver) { r.Partial = &Partial{From: 1, To: 3} })},
		{name: "token left over", sender: "@a:1 @b:2", want: "uptodate", text: "guid 2",
			recv: with(has("@a:1 @b:2"), func(r *Receiver) { r.Partial = &Partial{From: 2, To: 2} })},
		{name: "useless partial with children", sender: "@b:2", want: "partial-parent", text: "below it",
			recv: &Receiver{Partial: &Partial{To: 1}, Children: true}},
		{name: "partial with children, resumable", sender: "@b:2", want: "resume >@b",
			recv: &Receiver{Partial: &Partial{To: 2}, Children: true}},
		{name: "placeholder", sender: "@a:1", recv: &Receiver{Placeholder: true}, want: "full! >@a"},
		{name: "placeholder, resumed", sender: "@a:1", recv: &Receiver{Placeholder: true, Partial: &Partial{To: 1}}, want: "resume! >@a"},
		{name: "placeholder, useless partial, children", sender: "@b:1", want: "full! >@b", text: "guid 9",
			recv: &Receiver{Placeholder: true, Children: true, Partial: &Partial{To: 9}}},
		{name: "placeholder with snapshots", sender: "@a:1 @b:2", want: "incremental @a>@b",
			recv: with(has("@a:1"), func(r *Receiver) { r.Placeholder = true })},
		{name: "placeholder encrypted", sender: "@a:1", recv: &Receiver{Placeholder: true, Encrypted: true}, want: "placeholder-encrypted"},
		{name: "raw onto placeholder", sender: "@a:1", recv: &Receiver{Placeholder: true}, want: "placeholder-encrypted",
			in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}}},
		{name: "plain text", sender: "@a:1", in: Input{Encrypted: true}, want: "options", text: "plain text"},
		{name: "plain text as configured", sender: "@a:1", in: Input{Encrypted: true}, p: Policy{Decrypt: true}, want: "full >@a"},
		{name: "other options", sender: "@a:1 @b:2", in: Input{Send: dataset.SendOptions{LargeBlocks: true, Compressed: true}}, want: "options",
			text: "options -,|Lc", recv: with(has("@a:1"), func(r *Receiver) { r.Sent = &dataset.SendOptions{} })},
		{name: "harmless options", sender: "@a:1 @b:2", in: Input{Send: dataset.SendOptions{Compressed: true, Embedded: true}}, want: "incremental @a>@b",
			recv: with(has("@a:1"), func(r *Receiver) { r.Sent = &dataset.SendOptions{} })},
		{name: "raw onto plain", sender: "@a:1 @b:2", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}}, recv: has("@a:1"), want: "options"},
		{name: "made anew with encryption", sender: "@x:8", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true, LargeBlocks: true}}, want: "unrelated",
			text: "@x, the target has @a|options L, and now they are wL", recv: with(has("@a:1"), func(r *Receiver) { r.Sent = &dataset.SendOptions{LargeBlocks: true} })},
		{name: "made anew with encryption, no options recorded", sender: "@x:8", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}}, recv: has("@a:1"), want: "unrelated",
			text: "sent raw, and the target is not encrypted"},
		{name: "made anew without encryption", sender: "@x:8", in: Input{Send: dataset.SendOptions{LargeBlocks: true}}, want: "unrelated", text: "options wL, and now they are L",
			recv: with(has("@a:1"), func(r *Receiver) {
				r.Encrypted, r.Locked, r.Sent = true, true, &dataset.SendOptions{Raw: true, LargeBlocks: true}
			})},
		{name: "made anew, and under another's key", sender: "@x:8", in: Input{Encrypted: true, Send: dataset.SendOptions{Raw: true}}, want: "unrelated",
			recv: with(has("@a:1"), func(r *Receiver) { r.Encrypted, r.KeyRoot = true, "dst" })},
		{name: "made anew, and plain text is not allowed", sender: "@x:8", in: Input{Encrypted: true}, recv: has("@a:1"), want: "options", text: "plain text"},
		{name: "other options, and no snapshot", sender: "", in: Input{Send: dataset.SendOptions{LargeBlocks: true}}, want: "no-snapshots",
			recv: with(has("@a:1"), func(r *Receiver) { r.Sent = &dataset.SendOptions{} })},
		{name: "other options, base a bookmark", sender: "#a:1 @b:2", in: Input{Send: dataset.SendOptions{LargeBlocks: true}}, want: "options",
			recv: with(has("@a:1"), func(r *Receiver) { r.Sent = &dataset.SendOptions{} })},
		{name: "other options, a cut full stream", sender: "@a:1", in: Input{Send: dataset.SendOptions{LargeBlocks: true}}, want: "options",
			recv: &Receiver{Partial: &Partial{To: 1}, Sent: &dataset.SendOptions{}}},
		{name: "merged", sender: "@a:1 @b:2 @c:3 @d:4", recv: has("@a:1"), p: merge, want: "incremental @a>@b+@c+@d"},
		{name: "merged around a foreign one", sender: "@z1:1 @z2:2 @z3:3 @no:4 @z4:5 @z5:6", recv: has("@z1:1"),
			p: Policy{Merge: true, Prefix: "z"}, want: "incremental @z1>@z2+@z3,incremental @z3>@z4,incremental @z4>@z5"},
		{name: "merged initial", sender: "@a:1 @b:2 @c:3", p: Policy{Initial: Every, Merge: true}, want: "full >@a,incremental @a>@b+@c"},
		{name: "bookmark name too long", sender: "@a:1", in: Input{Source: long}, p: Policy{BookmarkLen: 97}, want: "name-too-long", text: "272 bytes"},
		{name: "no bookmark, no limit", sender: "@a:1", in: Input{Source: long}, want: "full >@a"},
		{name: "snapshot name too long", sender: "@" + strings.Repeat("s", 100) + ":1", in: Input{Target: long}, want: "name-too-long", text: "275 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := c.in
			in.Sender, in.Receiver = vs(c.sender), c.recv
			if in.Source == "" {
				in.Source = "src/a"
			}
			if in.Target == "" {
				in.Target = "dst/a"
			}
			if c.name == "going" {
				in.Sender = vs("@a:1 @b:2 @c:3 @x:4")
			}
			r := One(in, c.p)
			if got := brief(r); got != c.want {
				t.Errorf("plan %q, want %q (%+v)", got, c.want, r)
			}
			text := r.Says()
			if r.Conflict != nil {
				text += " " + r.Conflict.Error()
			}
			for word := range strings.SplitSeq(c.text, "|") {
				if c.text != "-" && !strings.Contains(text, word) {
					t.Errorf("text %q lacks %q", text, word)
				}
			}
		})
	}
}

func brief(r Result) string {
	if r.Conflict != nil {
		return string(r.Conflict.Reason)
	}
	var out []string
	for _, s := range r.Steps {
		w := string(s.Kind)
		if s.Force {
			w += "!"
		}
		w += " "
		if s.From != nil {
			w += s.From.String()
		}
		w += ">"
		for i, v := range s.Brings {
			if i > 0 {
				w += "+"
			}
			w += v.String()
		}
		out = append(out, w)
	}
	if out == nil {
		return "uptodate"
	}
	return strings.Join(out, ",")
}

// FuzzOne: whatever the lists hold, the steps hang together.
func FuzzOne(f *testing.F) {
	f.Add([]byte("\x01a\x02b"), []byte("\x01a"), byte(0))
	f.Add([]byte("\x01a\x02b\x81m"), []byte("\x01a\x09x"), byte(0xff))
	f.Fuzz(func(t *testing.T, sender, receiver []byte, flags byte) {
		in := Input{Source: "src", Target: "dst", Sender: fuzzVersions(sender), Deferred: map[dataset.GUID]bool{3: true}}
		if flags&1 != 0 {
			in.Receiver = &Receiver{Versions: fuzzVersions(receiver), Placeholder: flags&2 != 0, WrittenBase: Written{Known: flags&4 != 0}}
		}
		if flags&9 == 9 {
			in.Receiver.Partial = &Partial{To: dataset.GUID(flags >> 5), From: dataset.GUID(flags >> 4 & 1)}
		}
		r := One(in, Policy{Merge: flags&16 != 0, Initial: []Initial{MostRecent, Every}[flags>>5&1]})
		if r.Conflict != nil && len(r.Steps) > 0 {
			t.Fatalf("a conflict and steps: %+v", r)
		}
		have := map[string]bool{}
		if in.Receiver != nil {
			for _, v := range snapshots(in.Receiver.Versions) {
				have[v.Name] = true
			}
		}
		for i, s := range r.Steps {
			if i > 0 && (s.From == nil || *s.From != *r.Steps[i-1].To) {
				t.Fatalf("step %d does not follow on the one before: %+v", i, r.Steps)
			}
			for _, v := range s.Brings {
				if have[v.Name] || v.Kind != dataset.Snapshot {
					t.Fatalf("%s comes twice: %+v", v, r)
				}
			}
			if s.Force && (in.Receiver == nil || !in.Receiver.Placeholder || len(snapshots(in.Receiver.Versions)) > 0) {
				t.Fatalf("-F onto something that is no placeholder: %+v", r)
			}
		}
	})
}

func fuzzVersions(b []byte) []dataset.Version {
	var out []dataset.Version
	for i := 0; i+1 < len(b); i += 2 {
		v := dataset.Version{Kind: dataset.Snapshot, Name: string('a' + rune(b[i+1]%26)), GUID: dataset.GUID(b[i]&0x7f) + 1, CreateTXG: uint64(b[i+1])}
		if b[i]&0x80 != 0 {
			v.Kind = dataset.Bookmark
		}
		out = append(out, v)
	}
	return out
}
