package zfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// SendOptions describe one zfs send (zfs-send(8)).
type SendOptions struct {
	From    dataset.Version // of the same dataset; zero: a full stream
	To      dataset.Version
	Chained bool   // -I: all snapshots from From to To
	Token   string // -t: instead of From and To

	Raw, LargeBlocks, Compressed, Embedded bool // -w -L -c -e
}

// SendArgs is the command, the program first, that writes a stream of ds to
// its stdout. The flags stand beside a token, too: a token alone would decide
// whether an encrypted dataset leaves as plain text.
func (z *ZFS) SendArgs(ds string, o SendOptions) ([]string, error) {
	args := []string{z.Path, "send"}
	for _, f := range []struct {
		on   bool
		flag string
	}{{o.Raw, "-w"}, {o.LargeBlocks, "-L"}, {o.Compressed, "-c"}, {o.Embedded, "-e"}} {
		if f.on {
			args = append(args, f.flag)
		}
	}
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
	if err := checkVersions(o.From.Kind, o.From.Full(ds)); err != nil {
		return nil, err
	}
	flag := "-i"
	if o.Chained {
		flag = "-I"
		if o.From.Kind != dataset.Snapshot {
			return nil, errors.New("a chain of snapshots cannot start at a bookmark")
		}
	}
	return append(args, flag, o.From.Full(ds), o.To.Full(ds)), nil
}

// ReceiveOptions describe one zfs receive (zfs-receive(8)).
type ReceiveOptions struct {
	Snapshot  string // the name to receive as, without the dataset; empty: the stream's
	Volume    bool
	Over      bool              // -F: onto a placeholder
	Increment bool              // the dataset is there already, and has what the stream starts from
	Set       map[string]string // -o
	// Raw is what the stream is to be. zfs receive fails if a stream that is to
	// be plain is raw; who says raw of a plain one has to be found out before.
	Raw bool
}

// ReceiveArgs is the command, the program first, that receives a stream from
// its stdin as ds. What arrives is not mounted, a cut stream can be resumed,
// and nothing in the stream decides where the dataset would be mounted or
// shared. An increment has nothing that would have to be excluded; -x does
// nothing then (zfs-receive(8)), but costs a third of the time of a small one.
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
	if o.Increment {
		return nil
	}
	all := []string{"canmount", "mountpoint", "sharenfs", "sharesmb"}
	if !o.Raw {
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

// unfit reports whether zfs receive refuses -o or -x for a property.
func (o ReceiveOptions) unfit(name string) bool {
	return !property.Has(o.Volume, name) || o.Raw && keyProperty(name)
}
