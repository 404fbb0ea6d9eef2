// Package endpoint is the two ends of a replication: a Sender and a Receiver
// over the ZFS of this machine, the handlers that serve them to a client, and
// clients that are the same ends over a connection.
//
// It promises that an end does nothing beyond what its job offers, whoever
// asks: it checks every name, guid and token of a request. It does not decide
// what to replicate; see packages plan and replicate. A stream never passes
// through this process: the programs get the descriptors. If both ends are
// here, the stream is passed on between them and counted, on Linux without
// entering this process's memory.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs"
)

// User properties on a receiver's datasets.
const (
	PlaceholderProperty = "zreplctl:placeholder" // on: empty, only carries others
	SendProperty        = "zreplctl:send"        // the send options of the chain
	SettingsProperty    = "zreplctl:properties"  // what was taken from the sender; see property.Record
	RestoreProperty     = "zreplctl:restore"     // what was restored there, until it is activated
	AsideProperty       = "zreplctl:aside"       // the last part of the name that it got when it was set aside
)

// Filter says which datasets a job is about; *mapfilter.Rules is one.
type Filter interface {
	Pass(name string) bool
	Roots() (roots []string, everything bool)
}

var errNotOffered = errors.New("not offered here")

// allowed says the same of a dataset that is left out and of one that does
// not exist, so that a client learns nothing from the difference.
func allowed(f Filter, name string) error {
	if err := dataset.CheckName(name); err != nil {
		return fmt.Errorf("bad dataset name: %w", err)
	}
	if !f.Pass(name) {
		return fmt.Errorf("dataset %q: %w", name, errNotOffered)
	}
	return nil
}

// listable are the names of a request, without those that a property would have to
// choose and that do not exist. Where such a property stands between, "not offered"
// could mean either, and who keeps copies of what is gone has to know: what a client
// learns from the difference is within the rules that are for it.
func (s *Sender) listable(ctx context.Context, asked []string) (names []string, err error) {
	var unchosen []string
	for _, name := range asked {
		err := allowed(s.Datasets, name)
		switch {
		case err == nil:
			names = append(names, name)
		case s.Rules == nil || allowed(s.Rules, name) != nil:
			return nil, err
		default:
			unchosen = append(unchosen, name)
		}
	}
	if len(unchosen) == 0 {
		return names, nil
	}
	return names, s.missing(ctx, unchosen)
}

// missing refuses datasets unless each is in a pool that is imported, and does not exist.
func (s *Sender) missing(ctx context.Context, names []string) error {
	pools := map[string]bool{}
	for _, name := range names {
		pools[dataset.Pool(name)] = true
	}
	roots := slices.Clone(names)
	for pool := range pools {
		roots = append(roots, pool)
	}
	there, err := s.ZFS.Datasets(ctx, roots, false, "guid")
	if err := zfs.Present(err); err != nil {
		return err
	}
	for _, d := range there {
		if slices.Contains(names, d.Name) {
			return fmt.Errorf("dataset %q: %w", d.Name, errNotOffered)
		}
		delete(pools, d.Name)
	}
	for pool := range pools {
		return fmt.Errorf("pool %q is not imported", pool)
	}
	return nil
}
