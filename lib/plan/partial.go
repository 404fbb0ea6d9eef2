package plan

import (
	"fmt"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// resumeAt returns which of wanted the partial receive on the target brings,
// or -1; then Discard says why where there is one. A full stream goes on
// wherever the policy of today would start: too much may have come already. So
// does one of a job that sends only the newest, though its snapshot no longer is:
// over a slow line every stream would be discarded for the next.
func (o *one) resumeAt(wanted []dataset.Version, base dataset.GUID) int {
	if o.in.Receiver == nil || o.in.Receiver.Partial == nil {
		return -1
	}
	part := o.in.Receiver.Partial
	if o.r.Discard = o.useless(part, base); o.r.Discard != "" {
		return -1
	}
	for i, v := range wanted {
		switch {
		case v.GUID != part.To:
		case i > 0 && len(o.receiver) > 0 && !o.p.Choice().NewestOnly():
			o.r.Discard = fmt.Sprintf("it would leave out %s, which is needed now", named(wanted[:i]))
			return -1
		case part.Name != "" && part.Name != v.Name:
			o.r.Discard = fmt.Sprintf("it is of @%s, which is named %s now", part.Name, v)
			return -1
		default:
			return i
		}
	}
	if v, ok := byGUID(snapshots(o.sender), part.To); ok && !o.wanted(v) {
		o.r.Discard = fmt.Sprintf("it is of %s, which the job no longer sends", v)
		return -1
	}
	if o.p.Once {
		o.r.Discard = fmt.Sprintf("it is of another snapshot, with guid %s", part.To)
		return -1
	}
	o.r.Discard = fmt.Sprintf("the source no longer has the snapshot with guid %s", part.To)
	return -1
}

// useless says why a partial receive cannot go on, whatever is wanted.
func (o *one) useless(part *Partial, base dataset.GUID) string {
	switch {
	case part.Unusable != "":
		return "its token cannot be used: " + part.Unusable
	case part.From != base:
		return fmt.Sprintf("it is a stream from guid %s, which is not the base", part.From)
	case part.Of != "" && part.Of != o.in.Source:
		return fmt.Sprintf("it is of %q, which is named %q now", part.Of, o.in.Source)
	}
	return ""
}

// checkPartial finds a partial receive that is not this job's: a person's seed,
// or another job's. It is nobody's to throw away but theirs.
func (o *one) checkPartial() *Conflict {
	if o.in.Receiver == nil || o.in.Receiver.Partial == nil || o.in.Receiver.Partial.Ours {
		return nil
	}
	part := o.in.Receiver.Partial
	why := part.Foreign
	if v, ok := byGUID(snapshots(o.sender), part.To); ok {
		if not := o.p.Choice().why(v.Name); not != "" {
			why = fmt.Sprintf("it is of %s of the source, %s", v, not)
		}
	} else if why == "" {
		why = o.stranger(part)
	}
	if why == "" {
		return nil
	}
	return conflict(ForeignPartial, "the target has a partial receive that is not this job's: %s", why)
}

// stranger says why a partial receive of a snapshot that the source does not
// have is not this job's.
func (o *one) stranger(part *Partial) string {
	switch {
	case part.Of == "":
		return ""
	case part.Of != o.in.Source:
		return fmt.Sprintf("it is of %q, which is not the source", part.Of)
	}
	if not := o.p.Choice().why(part.Name); not != "" {
		return fmt.Sprintf("it is of @%s, %s", part.Name, not)
	}
	return ""
}
