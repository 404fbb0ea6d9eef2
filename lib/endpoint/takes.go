package endpoint

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// The features that zfs receive asks of a pool (dmu_recv_begin_check in
// OpenZFS), as far as what a stream needs can be told before it is made.
const (
	extensible   = "extensible_dataset" // receive -s, always
	lz4          = "lz4_compress"       // send -c, -e and -w, where the sender's pool has it active
	embedded     = "embedded_data"      // send -e of what is not encrypted, likewise
	encryption   = "encryption"         // send -w of what is encrypted
	largeBlocks  = "large_blocks"       // send -L and -w, once there were records of more than 128 KiB
	zstd         = "zstd_compress"      // send -c, -e and -w, once compression was set to zstd or has used it
	largeDnodes  = "large_dnode"        // data with dnodes of more than 512 bytes
	knownRecords = 128 << 10
)

var streamFeatures = []string{extensible, lz4, embedded, encryption, largeBlocks, zstd, largeDnodes}

// Takes says what streams the receiver can take. It costs one command. What
// cannot be found out is not in the answer: zfs receive will tell.
func (r *Receiver) Takes(ctx context.Context, _ struct{}) (transfer.Takes, error) {
	t := transfer.Takes{Properties: r.Take.Any(), Lacks: map[string][]string{},
		PlainCopies: r.PlainCopies, PlainPlaceholders: r.PlainPlaceholders, Renames: r.Renames != nil, Asides: r.Asides, Clones: r.Clones}
	pools, err := r.ZFS.PoolFeatures(ctx, poolsOf(r.Roots), streamFeatures)
	if err != nil {
		return t, ctx.Err()
	}
	for pool, states := range pools {
		for _, f := range streamFeatures {
			if s := states[f]; s != "enabled" && s != "active" {
				t.Lacks[pool] = append(t.Lacks[pool], f)
			}
		}
	}
	return t, nil
}

// poolsOf returns the pools that datasets are in, each once.
func poolsOf(datasets []string) (pools []string) {
	for _, name := range datasets {
		pools = append(pools, dataset.Pool(name))
	}
	slices.Sort(pools)
	return slices.Compact(pools)
}

// Uses says which of some features the streams of datasets need. It costs two
// commands.
func (s *Sender) Uses(ctx context.Context, in transfer.UsesRequest) (map[string]transfer.Uses, error) {
	for _, name := range in.Datasets {
		if err := allowed(s.Datasets, name); err != nil {
			return nil, err
		}
	}
	features := slices.DeleteFunc(slices.Clone(streamFeatures), func(f string) bool { return !slices.Contains(in.Features, f) })
	roots, _, none := s.roots(nil)
	if none || len(in.Datasets) == 0 || len(features) == 0 {
		return nil, nil
	}
	pools, err := s.ZFS.PoolFeatures(ctx, poolsOf(in.Datasets), streamFeatures)
	if err != nil {
		return nil, ctx.Err()
	}
	list, err := s.ZFS.Datasets(ctx, roots, true, traits...)
	if err := zfs.Present(err); err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	for _, name := range in.Datasets {
		asked[name] = true
	}
	out := map[string]transfer.Uses{}
	for _, d := range list {
		if asked[d.Name] {
			out[d.Name] = uses(d, s.options(encrypted(d)), pools[dataset.Pool(d.Name)], features)
		}
	}
	return out, nil
}

// traits are the properties that tell what a dataset's data are like.
var traits = []string{"encryption", "compression", "recordsize", "volblocksize", "dnodesize", "logicalreferenced"}

// worthMention is how many bytes a dataset must have before its properties
// are taken for what its data are like.
const worthMention = 1 << 20

func uses(d zfs.Dataset, o dataset.SendOptions, pool map[string]string, features []string) (u transfer.Uses) {
	value := func(p string) string { return d.Properties[p].Value }
	number := func(p string) uint64 { n, _ := strconv.ParseUint(value(p), 10, 64); return n }
	embeds := o.Embedded && !encrypted(d) && pool[embedded] == "active"
	packed := o.Compressed || o.Raw || embeds // the stream has blocks as they are on disk
	zstdHere := packed && pool[zstd] == "active" && strings.HasPrefix(value("compression"), "zstd")
	set := d.Properties["compression"].Source
	surely := map[string]bool{
		extensible: true,
		lz4:        packed && pool[lz4] == "active",
		embedded:   embeds,
		encryption: o.Raw,
		zstd:       zstdHere && (set == "local" || set == "received"),
	}
	some := number("logicalreferenced") >= worthMention
	likely := map[string]bool{
		largeBlocks: some && (o.LargeBlocks || o.Raw) && pool[largeBlocks] == "active" &&
			max(number("recordsize"), number("volblocksize")) > knownRecords,
		zstd:        some && zstdHere,
		largeDnodes: some && pool[largeDnodes] == "active" && value("dnodesize") != "legacy" && value("dnodesize") != "",
	}
	for _, f := range features {
		switch {
		case surely[f]:
			u.Surely = append(u.Surely, f)
		case likely[f]:
			u.Likely = append(u.Likely, f)
		}
	}
	return u
}

// Features are those that streams may need, as far as that can be told.
func Features() []string { return slices.Clone(streamFeatures) }
