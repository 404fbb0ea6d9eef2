package endpoint

import (
	"context"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// A cursor bookmark's name says which client it belongs to, which is no other
// client's business. The bookmark itself may be: where a client was renamed,
// or its own cursor was lost, it can be all that is left of the base. So a
// client sees such a bookmark under a name that tells its guid and nothing
// else, and that send understands.

// aliasTag is the tag of no client: cursor.Tag has two parts behind zreplctl_.
const aliasTag = cursor.Prefix + "cursor"

// alias is the name under which a client sees another's cursor.
func alias(g dataset.GUID) string { return cursor.Bookmark(aliasTag, g) }

// others reports whether a version is the cursor of another client.
func (s *Sender) others(v dataset.Version) bool {
	if v.Kind != dataset.Bookmark {
		return false
	}
	tag, ok := cursor.Owner(v.Name)
	return ok && tag != s.Tag
}

// mask gives other clients' cursors their neutral names. One that says no more
// than a version beside it is left out.
func (s *Sender) mask(list []transfer.Dataset) []transfer.Dataset {
	for i := range list {
		list[i].Versions = s.maskVersions(list[i].Versions)
	}
	return list
}

func (s *Sender) maskVersions(versions []dataset.Version) []dataset.Version {
	told := map[dataset.GUID]bool{}
	found := false
	for _, v := range versions {
		if s.others(v) {
			found = true
		} else {
			told[v.GUID] = true
		}
	}
	if !found {
		return versions
	}
	out := make([]dataset.Version, 0, len(versions))
	for _, v := range versions {
		if s.others(v) {
			if told[v.GUID] {
				continue
			}
			told[v.GUID] = true
			v.Name = alias(v.GUID)
		}
		out = append(out, v)
	}
	return out
}

// unmask finds the bookmark that a client names by its neutral name, and
// refuses the name of another client's cursor as if there were none.
func (s *Sender) unmask(ctx context.Context, in transfer.SendRequest) (transfer.SendRequest, error) {
	if !s.masked || in.From.Kind != dataset.Bookmark || in.Token != "" || !s.others(in.From) {
		return in, nil
	}
	if err := allowed(s.Datasets, in.Dataset); err != nil {
		return in, err
	}
	gone := fmt.Errorf("dataset %q has no bookmark %q", in.Dataset, in.From.Name)
	if in.From.Name != alias(in.From.GUID) {
		return in, gone
	}
	var found dataset.Version
	err := s.ZFS.Histories(ctx, []string{in.Dataset}, false, func(of string, v dataset.Version) error {
		if of == in.Dataset && v.GUID == in.From.GUID && s.others(v) {
			found = v
		}
		return nil
	})
	if err != nil {
		return in, err
	}
	if found.GUID == 0 {
		return in, gone
	}
	in.From = found
	return in, nil
}
