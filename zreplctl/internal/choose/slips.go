package choose

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Received are the datasets that would be chosen if received values counted, in
// order.
func Received(j *config.Job) (names []string) {
	for _, name := range Listed(j) {
		if c := j.Choices[name]; c.Received && c.Setting.Value == j.Select.Value {
			names = append(names, name)
		}
	}
	return names
}

// Misspelt are the datasets on which somebody has set a value here that differs
// from the one of select only in case and spaces, in order.
func Misspelt(j *config.Job) (names []string) {
	for _, name := range Listed(j) {
		c := j.Choices[name]
		if c.Chosen || c.Received || c.Setting.Value == "" || !strings.EqualFold(withoutSpaces(c.Setting.Value), withoutSpaces(j.Select.Value)) {
			continue
		}
		names = append(names, name)
	}
	return names
}

func withoutSpaces(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
}

// Hidden are the datasets that would be chosen if no sender had set another value
// on them, or above them, in order. It looks up what is above the rules.
func Hidden(ctx context.Context, z *zfs.ZFS, j *config.Job) (names []string, err error) {
	known := maps.Clone(j.Choices)
	open := map[string]string{} // the dataset that decides about each, without what was received
	for _, name := range Listed(j) {
		if c := known[name]; c.Received && c.Setting.Value != j.Select.Value {
			open[name] = name
		}
	}
	for len(open) > 0 {
		unknown := map[string]bool{}
		for name, at := range open {
			for at != "" && known[at].Received {
				at = dataset.Parent(cmp.Or(known[at].Setting.From(), at))
			}
			open[name] = at
			switch c, ok := known[at]; {
			case at != "" && !ok:
				unknown[at] = true
				continue
			case c.Chosen:
				names = append(names, name)
			}
			delete(open, name)
		}
		if len(unknown) == 0 {
			break
		}
		above, err := z.Selected(ctx, slices.Sorted(maps.Keys(unknown)), false, *j.Select, func(string) bool { return true })
		if err != nil {
			return nil, err
		}
		for at := range unknown {
			known[at] = above[at] // of one that is gone: not set
		}
	}
	slices.Sort(names)
	return names, nil
}
