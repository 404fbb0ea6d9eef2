package zfs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// Sending describes one zfs send (zfs-send(8)).
type Sending struct {
	dataset.SendOptions
	From    dataset.Version // zero: a full stream
	Origin  string          // the dataset that has From; empty: the same one
	To      dataset.Version
	Chained bool   // -I: all snapshots from From to To
	Token   string // -t: instead of From and To
}

// SendArgs is the command, the program first, that writes a stream of ds to
// its stdout. The flags stand beside a token, too: a token alone would decide
// whether an encrypted dataset leaves as plain text.
func (z *ZFS) SendArgs(ds string, o Sending) ([]string, error) {
	args := append([]string{z.Path, "send"}, o.Flags()...)
	if o.Token != "" {
		if _, err := stream.DecodeToken(o.Token); err != nil {
			return nil, err
		}
		return append(args, "-t", o.Token), nil
	}
	if err := checkVersions(dataset.Snapshot, o.To.Full(ds)); err != nil {
		return nil, err
	}
	if o.From.Name == "" {
		return append(args, o.To.Full(ds)), nil
	}
	from := o.From.Full(cmp.Or(o.Origin, ds))
	if err := checkVersions(o.From.Kind, from); err != nil {
		return nil, err
	}
	flag := "-i"
	if o.Origin != "" && (o.Chained || o.From.Kind != dataset.Snapshot) {
		return nil, errors.New("the stream of a clone starts from one snapshot of its origin, and brings one")
	}
	if o.Chained {
		flag = "-I"
		if o.From.Kind != dataset.Snapshot {
			return nil, errors.New("a chain of snapshots cannot start at a bookmark")
		}
	}
	return append(args, flag, from, o.To.Full(ds)), nil
}

// ReceiveOptions describe one zfs receive (zfs-receive(8)).
type ReceiveOptions struct {
	Snapshot  string // the name to receive as, without the dataset; empty: the stream's
	Volume    bool
	Over      bool              // -F: onto a placeholder
	Increment bool              // the dataset is there already, and has what the stream starts from
	Set       map[string]string // -o
	Origin    string            // -o origin: the snapshot that the stream makes a clone of
	// Own is a stream that SendArgs of this host makes: it has no properties.
	Own bool
	// Raw is what the stream is to be. zfs receive fails if a stream that is to
	// be plain is raw; who says raw of a plain one has to be found out before.
	Raw bool
}

// ReceiveArgs is the command, the program first, that receives a stream from
// its stdin as ds. What arrives is not mounted, a cut stream can be resumed,
// and nothing in the stream decides where the dataset would be mounted or
// shared. An increment has nothing that would have to be excluded, and a stream
// of this host's own has no properties; -x does nothing then (zfs-receive(8)),
// but costs two transaction groups of five.
func (z *ZFS) ReceiveArgs(ds string, o ReceiveOptions) ([]string, error) {
	if err := checkDatasets(ds); err != nil {
		return nil, err
	}
	args := []string{z.Path, "receive", "-u", "-s"}
	if o.Over {
		args = append(args, "-F")
	}
	for _, p := range o.excluded() {
		if err := checkProperty(p); err != nil {
			return nil, err
		}
		if _, set := o.Set[p]; !set {
			args = append(args, "-x", p)
		}
	}
	set, err := assignments("-o", o.set())
	if err != nil {
		return nil, err
	}
	args = append(args, set...)
	if o.Origin != "" {
		if err := checkVersions(dataset.Snapshot, o.Origin); err != nil {
			return nil, err
		}
		args = append(args, "-o", "origin="+o.Origin)
	}
	if o.Snapshot != "" {
		if err := dataset.CheckShort(o.Snapshot); err != nil {
			return nil, fmt.Errorf("bad snapshot name %q: %w", o.Snapshot, err)
		}
		if len(ds)+1+len(o.Snapshot) > dataset.MaxNameLen {
			return nil, fmt.Errorf("bad snapshot name %q: too long for %q", o.Snapshot, ds)
		}
		ds += "@" + o.Snapshot
	}
	return append(args, ds), nil
}

// excluded are the properties for -x. What is new and not raw is encrypted as
// its parent is, whatever a stream might say.
func (o ReceiveOptions) excluded() []string {
	if o.Increment || o.Own {
		return nil
	}
	all := []string{"canmount", "mountpoint", "sharenfs", "sharesmb"}
	if !o.Raw && o.Origin == "" {
		all = append(all, "encryption")
	}
	all = slices.DeleteFunc(all, o.unfit)
	slices.Sort(all)
	return all
}

// set are the properties for -o.
func (o ReceiveOptions) set() map[string]string {
	fit := maps.Clone(o.Set)
	maps.DeleteFunc(fit, func(name, _ string) bool { return o.unfit(name) })
	return fit
}

// unfit reports whether zfs receive refuses -o or -x for a property. A clone has
// its origin's key, or none.
func (o ReceiveOptions) unfit(name string) bool {
	return !property.Has(o.Volume, name) || (o.Raw || o.Origin != "") && keyProperty(name)
}

// keyProperty reports whether a raw stream alone decides about the property:
// zfs receive refuses -o and -x for it.
func keyProperty(name string) bool {
	switch property.Full(name) {
	case "encryption", "keyformat", "keylocation", "pbkdf2iters":
		return true
	}
	return false
}

// SendSize is about how many bytes the stream of a command that SendArgs made
// has, as zfs send estimates it.
func (z *ZFS) SendSize(ctx context.Context, command []string) (uint64, error) {
	if len(command) < 3 || command[1] != "send" {
		return 0, errors.New("not a command that sends")
	}
	args := slices.Concat([]string{"send", "-n", "-v", "-P"}, command[2:])
	var size uint64
	found := false
	err := z.lines(ctx, args, func(line string) error {
		text, ok := strings.CutPrefix(line, "size\t")
		if !ok {
			return nil
		}
		var err error
		size, err = strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		found = err == nil
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("zfs send -n: says nothing of a size")
	}
	return size, err
}
