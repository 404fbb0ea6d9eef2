package plan

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// checkTarget finds names that ZFS would refuse whatever is sent.
func (o *one) checkTarget() *Conflict {
	if err := dataset.CheckName(o.in.Target); err != nil {
		return conflict(NameTooLong, "the target's name: %v", err)
	}
	n := len(o.in.Source) + 1 + o.p.BookmarkLen
	if o.p.BookmarkLen > 0 && n > dataset.MaxNameLen {
		return conflict(NameTooLong, "a cursor bookmark on the source would have a name of %d bytes: at most %d",
			n, dataset.MaxNameLen)
	}
	return nil
}

// checkOptions holds the send options against encryption and against what the
// chain was received with, if that can continue otherwise.
func (o *one) checkOptions() *Conflict {
	switch {
	case o.in.Encrypted && !o.in.Send.Raw && !o.p.Decrypt:
		return conflict(BadOptions, "the source is encrypted and would be sent as plain text, which the configuration does not allow")
	case o.r.Base == nil && !o.partialFirst():
		return nil // nothing continues
	}
	if text := o.otherOptions(); text != "" {
		return conflict(BadOptions, "%s; the source has %s, the target has %s", text, o.senderHistory(), history(o.receiver))
	}
	return o.checkKey()
}

// otherOptions says how the target was received otherwise than it would be now;
// empty: it was not.
func (o *one) otherOptions() string {
	send, rcv := o.in.Send, o.in.Receiver
	switch {
	case rcv.Sent != nil && !send.Follows(*rcv.Sent):
		return fmt.Sprintf("the target was received with send options %s, and now they are %s", rcv.Sent, send)
	case o.r.sealed && !rcv.Encrypted && len(o.receiver) > 0:
		return "the source would be sent raw, and the target is not encrypted"
	}
	return ""
}

// checkKey refuses a raw copy that has come under the key of another dataset
// (zfs change-key -i): the next raw increment would bring the source's key
// with it, and nothing of the copy could be read any more (openzfs#12614). A
// copy whose key is that of its source's root's copy was sent with it.
func (o *one) checkKey() *Conflict {
	root := o.in.Receiver.KeyRoot
	if !o.r.sealed || len(o.receiver) == 0 || root == "" || root == o.in.Target || root == o.in.KeyTarget {
		return nil
	}
	return conflict(KeyChanged, "the target's encryption root is %q, and a raw stream onto it would make it unreadable; the source has %s, the target has %s",
		root, o.senderHistory(), history(o.receiver))
}

// checkTakes decides whether the receiver can take the streams at all.
func (o *one) checkTakes() *Conflict {
	in := &o.in
	switch {
	case len(in.Lacks) > 0:
		pool := dataset.Pool(in.Target)
		return conflict(FeatureMissing, "the pool %q has no feature@%s, which streams of the source with send options %s need",
			pool, strings.Join(in.Lacks, ", feature@"), in.Send)
	case in.Receiver != nil && in.Receiver.Locked && !o.r.sealed:
		return conflict(KeyNotLoaded, "the key of the target is not loaded, and plain data would be encrypted with it")
	}
	return nil
}

// checkChanged decides whether ZFS would receive onto the target as it is now.
// newer are the snapshots of the target behind the base, all of them unknown
// to the sender.
func (o *one) checkChanged(newer []dataset.Version) *Conflict {
	rcv, base := o.in.Receiver, o.r.Base
	since := rcv.Written
	if len(newer) > 0 {
		since = rcv.WrittenBase
	}
	switch {
	case len(newer) > 0 && o.r.sealed: // openzfs#15314
		return conflict(Diverged, "since the base %s the target has %s, and a raw stream can only come onto the newest snapshot; the source has %s",
			base.Receiver, named(newer), o.laterHistory())
	case len(newer) == 0 && since.Known && since.Bytes > 0:
		return conflict(Modified, "%d bytes of the target changed since %s; the source has %s since %s",
			since.Bytes, base.Receiver, o.laterHistory(), base.Sender)
	case len(newer) > 0 && !since.Known:
		return conflict(Diverged, "since the base %s the target has %s, with changes as far as is known; the source has %s",
			base.Receiver, history(newer), o.laterHistory())
	case len(newer) > 0 && since.Bytes > 0:
		return conflict(Diverged, "since the base %s the target has %s, with %d bytes changed; the source has %s",
			base.Receiver, history(newer), since.Bytes, o.laterHistory())
	}
	return nil
}

// checkOrder refuses a target whose snapshots stand in another order than the
// sender's: something newer than the base is there already, before the base.
func (o *one) checkOrder(wanted []dataset.Version) *Conflict {
	if len(wanted) == 0 {
		return nil
	}
	have := make(map[dataset.GUID]struct{}, len(o.receiver))
	for _, v := range o.receiver {
		have[v.GUID] = struct{}{}
	}
	for _, v := range wanted {
		if _, ok := have[v.GUID]; ok {
			return conflict(Diverged, "the source has %s after the base %s, the target has it before; the source has %s, the target has %s",
				v, o.r.Base.Sender, o.senderHistory(), history(o.receiver))
		}
	}
	return nil
}

// checkNames looks at what the steps would bring: a name that another snapshot
// of the target has, or one that is too long.
func (o *one) checkNames() *Conflict {
	taken := make(map[string]int, len(o.receiver))
	for i := range o.receiver {
		taken[o.receiver[i].Name] = i
	}
	for _, s := range o.r.Steps {
		for _, v := range s.Brings {
			if i, ok := taken[v.Name]; ok {
				t := o.receiver[i]
				return conflict(NameTaken, "%s will arrive with guid %s, and the target has %s with guid %s; the source has %s, the target has %s",
					v, v.GUID, t, t.GUID, o.senderHistory(), history(o.receiver))
			}
			if n := len(v.Full(o.in.Target)); n > dataset.MaxNameLen {
				return conflict(NameTooLong, "%s on the target would have a name of %d bytes: at most %d", v, n, dataset.MaxNameLen)
			}
		}
	}
	return nil
}

func (o *one) senderHistory() string { return history(snapshots(o.sender)) }

func (o *one) laterHistory() string {
	later := snapshots(o.after(o.r.Base.Sender.CreateTXG))
	if len(later) == 0 {
		return "no newer snapshot"
	}
	return history(later)
}

func (o *one) encryptedSide() string {
	if o.in.Encrypted {
		return "the source is encrypted"
	}
	return "it is encrypted"
}

// below says that a rename of the target would take others with it.
func (o *one) below() string {
	if o.in.Receiver.Children {
		return "; the target has other datasets below it"
	}
	return ""
}

func (o *one) nothingToSend() string {
	have := snapshots(o.sender)
	switch {
	case len(have) == 0 && len(o.sender) > 0:
		return "the source has bookmarks and no snapshot; the target has " + history(o.receiver)
	case len(have) == 0:
		return "the source has no snapshot; the target has " + history(o.receiver)
	}
	return "the source has " + history(have) + ", and the job sends none of them: they are marked for destruction, or have other names"
}
