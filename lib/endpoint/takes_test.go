package endpoint

import (
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// TestUses holds what is expected of streams against what OpenZFS 2.3 refused
// to receive into pools that lacked one feature after the other.
func TestUses(t *testing.T) {
	pool := map[string]string{}
	for _, f := range streamFeatures {
		pool[f] = "active"
	}
	old := map[string]string{lz4: "enabled", embedded: "enabled", zstd: "enabled", largeBlocks: "enabled", largeDnodes: "enabled"}
	parse := func(words string) dataset.SendOptions {
		return dataset.SendOptions{Raw: strings.Contains(words, "w"), LargeBlocks: strings.Contains(words, "L"),
			Embedded: strings.Contains(words, "e"), Compressed: strings.Contains(words, "c")}
	}
	for _, c := range []struct {
		props, flags   string
		pool           map[string]string
		surely, likely string
	}{
		{"", "", pool, "extensible_dataset", ""},
		{"", "L", pool, "extensible_dataset", ""},
		{"", "c", pool, "extensible_dataset lz4_compress", ""},
		{"", "e", pool, "extensible_dataset lz4_compress embedded_data", ""},
		{"", "Lec", old, "extensible_dataset", ""},
		{"encryption=aes-256-gcm", "e", pool, "extensible_dataset", ""},
		{"encryption=aes-256-gcm", "w", pool, "extensible_dataset lz4_compress encryption", ""},
		{"encryption=aes-256-gcm", "ec", pool, "extensible_dataset lz4_compress", ""},
		{"recordsize=1048576", "L", pool, "extensible_dataset", "large_blocks"},
		{"recordsize=1048576 logicalreferenced=30000", "L", pool, "extensible_dataset", ""},
		{"recordsize=1048576", "", pool, "extensible_dataset", ""},
		{"recordsize=131072", "L", pool, "extensible_dataset", ""},
		{"recordsize=1048576", "L", old, "extensible_dataset", ""},
		{"volblocksize=262144", "L", pool, "extensible_dataset", "large_blocks"},
		{"compression=zstd", "c", pool, "extensible_dataset lz4_compress zstd_compress", ""},
		{"compression=zstd-9", "e", pool, "extensible_dataset lz4_compress embedded_data zstd_compress", ""},
		{"compression=zstd", "L", pool, "extensible_dataset", ""},
		{"compression=~zstd", "c", pool, "extensible_dataset lz4_compress", "zstd_compress"},
		{"compression=~zstd logicalreferenced=30000", "c", pool, "extensible_dataset lz4_compress", ""},
		{"dnodesize=auto", "", pool, "extensible_dataset", "large_dnode"},
		{"dnodesize=auto logicalreferenced=30000", "", pool, "extensible_dataset", ""},
	} {
		d := zfs.Dataset{Properties: map[string]zfs.Property{}}
		for word := range strings.FieldsSeq("encryption=off compression=lz4 dnodesize=legacy logicalreferenced=2000000 " + c.props) {
			name, value, _ := strings.Cut(word, "=")
			p := zfs.Property{Value: value, Source: "local"}
			if rest, ok := strings.CutPrefix(value, "~"); ok {
				p = zfs.Property{Value: rest, Source: "inherited from a"}
			}
			d.Properties[name] = p
		}
		u := uses(d, parse(c.flags), c.pool, streamFeatures)
		if !slices.Equal(u.Surely, strings.Fields(c.surely)) || !slices.Equal(u.Likely, strings.Fields(c.likely)) {
			t.Errorf("%q sent with %q: %q and %q, not %q and %q", c.props, c.flags, u.Surely, u.Likely, c.surely, c.likely)
		}
	}
	if u := uses(zfs.Dataset{}, parse("c"), pool, []string{encryption}); len(u.Surely)+len(u.Likely) != 0 {
		t.Errorf("what was not asked for: %+v", u)
	}
}
