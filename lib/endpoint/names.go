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
	"errors"
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
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
