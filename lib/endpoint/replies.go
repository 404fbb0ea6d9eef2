package endpoint

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/digest"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Every text of a far side's reply ends in a message, a record or a request.
// So each reply is judged where it comes in: what leaves here is short and
// safe to print. TestHostileReplies makes every text of every reply hostile.

// Limits on texts of a list, in bytes.
const (
	maxTokenText = 16 << 10 // as stream.DecodeToken takes
	maxSum       = 100
)

// wrongTexts says which text of a dataset cannot be true. One that only says
// what is known already becomes that nothing is known.
func wrongTexts(d *transfer.Dataset) string {
	if d.KeyRoot != "" && dataset.CheckName(d.KeyRoot) != nil {
		return "its encryption root has an illegal name"
	}
	if o := d.Origin; o != (transfer.Snap{}) && (dataset.CheckName(o.Dataset) != nil || checkShort(o.Dataset, o.Name) != nil || o.GUID == 0) {
		return "it is a clone of what cannot be"
	}
	if d.Aside != "" && dataset.CheckName(d.Aside) != nil {
		return "it was set aside from an illegal name"
	}
	if text := wrongPartial(d.Partial); text != "" {
		return text
	}
	if text := wrongTold(&d.Told); text != "" {
		return text
	}
	switch d.Common {
	case "", transfer.CommonNone, transfer.CommonUnknown:
	default:
		if g, err := dataset.ParseGUID(d.Common); err != nil {
			d.Common = transfer.CommonUnknown
		} else {
			d.Common = g.String()
		}
	}
	switch o, err := dataset.ParseSendOptions(d.Recorded); {
	case d.Recorded == "": // no property says it
	case err != nil: // it is said, and then ignored
		d.Recorded = cmp.Or(clean.Line(d.Recorded, maxSum), "?")
	default:
		d.Recorded = o.String()
	}
	if !fits(d.Settled, maxSum) {
		d.Settled = ""
	}
	return ""
}

func wrongPartial(p *transfer.Partial) string {
	switch {
	case p == nil:
		return ""
	case p.Of != "" && dataset.CheckName(p.Of) != nil:
		return "its partial receive is of a dataset with an illegal name"
	case p.Name != "" && dataset.CheckShort(p.Name) != nil:
		return "its partial receive is of a snapshot with an illegal name"
	case !fits(p.Token, maxTokenText):
		return "its partial receive has a token that cannot be"
	case p.Bad != "":
		p.Bad = cmp.Or(clean.Line(p.Bad, maxSaid), "the far side does not say why")
	}
	return ""
}

// wrongTold judges the properties that a sender tells. A name that no property
// can have is left out: it cannot be set.
func wrongTold(p *transfer.Properties) string {
	if err := property.CheckTold(p.Set); err != nil {
		return "its properties cannot be: " + clean.Line(err.Error(), maxSaid)
	}
	if !fits(p.Sum, maxSum) {
		return "the sum of its properties cannot be"
	}
	for name := range p.Set {
		if !property.IsName(name) {
			delete(p.Set, name)
		}
	}
	p.Untold = slices.DeleteFunc(p.Untold, func(name string) bool { return !property.IsName(name) })
	p.Untold = p.Untold[:min(len(p.Untold), property.MaxCount)]
	return ""
}

func fits(s string, limit int) bool { return len(s) <= limit && clean.Plain(s) }

// judgeNames leaves of the names that a list has beside its versions those
// that are versions.
func judgeNames(d *transfer.Dataset, names map[dataset.Version]bool) {
	only := func(kind dataset.Kind, set transfer.NameSet) {
		maps.DeleteFunc(set, func(name string, _ struct{}) bool { return !names[dataset.Version{Kind: kind, Name: name}] })
	}
	only(dataset.Snapshot, d.Held)
	only(dataset.Bookmark, d.Marks)
	only(dataset.Bookmark, d.Kept)
}

// amongAsked leaves of an answer the snapshots that were asked about, each once.
func amongAsked(answer, in []transfer.Snap) []transfer.Snap {
	open := make(map[transfer.Snap]bool, len(in))
	for _, s := range in {
		open[s] = true
	}
	return slices.DeleteFunc(answer, func(s transfer.Snap) bool {
		first := open[s]
		delete(open, s)
		return !first
	})
}

// judgeUses leaves of the features that streams need those asked about.
func judgeUses(all map[string]transfer.Uses, features []string) map[string]transfer.Uses {
	known := func(list []string) []string {
		return slices.DeleteFunc(slices.Clone(features), func(f string) bool { return !slices.Contains(list, f) })
	}
	for ds, u := range all {
		all[ds] = transfer.Uses{Surely: known(u.Surely), Likely: known(u.Likely)}
	}
	return all
}

// judgeSend refuses a stream that would end with what no snapshot can be.
func judgeSend(reply transfer.SendReply) error {
	if reply.Name == "" {
		return nil
	}
	if err := dataset.CheckShort(reply.Name); err != nil {
		return fmt.Errorf("the far side sends a snapshot \"%s\": %w", clean.Name(reply.Name), err)
	}
	return nil
}

// judgeReceived makes what a far side says of a stream fit to be shown.
func judgeReceived(got transfer.Received) transfer.Received {
	if got.Unset != "" {
		got.Unset = cmp.Or(clean.Line(got.Unset, maxProblem), "the far side does not say why")
	}
	return got
}

// judgeDigest refuses a digest that cannot be. Whether a far side computed it, or
// made it up, nobody can tell.
func judgeDigest(d transfer.Digest, in transfer.DigestRequest) (transfer.Digest, error) {
	if d.Version != digest.Version {
		return transfer.Digest{}, errOtherVersion
	}
	good := isSum(d.Sum) && len(d.Groups) == digest.GroupsSize && len(d.Each) <= transfer.MaxObjects
	for i, o := range d.Each {
		good = good && isSum(o.Sum) && slices.Contains(in.Groups, digest.GroupOf(o.Object)) && (i == 0 || d.Each[i-1].Object < o.Object)
	}
	if !good {
		return transfer.Digest{}, errors.New("the far side's digest cannot be one")
	}
	return d, nil
}

func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == len(digest.Sum{}) && s == strings.ToLower(s)
}
