package plan

import "fmt"

// unlike says what a person should know of a target that has nothing in common with
// the source.
func (o *one) unlike() string {
	text := o.sameName()
	if other := o.otherOptions(); other != "" {
		text += "; " + other
	}
	return text + o.below()
}

// sameName tells of the newest name that both sides have with different
// guids: people take such snapshots for the same.
func (o *one) sameName() string {
	here := make(map[string]int, len(o.sender))
	for i, v := range o.sender {
		here[v.String()] = i
	}
	for i := len(o.receiver) - 1; i >= 0; i-- {
		t := o.receiver[i]
		if at, ok := here[t.String()]; ok && o.sender[at].GUID != t.GUID {
			return fmt.Sprintf("; %s of the source has guid %s and that of the target %s: they only have the same name", t, o.sender[at].GUID, t.GUID)
		}
	}
	return ""
}
