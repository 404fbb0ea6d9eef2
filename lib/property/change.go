package property

import "slices"

// Copy is a copy as a receiver finds it.
type Copy struct {
	Volume bool
	Local  map[string]string // the settings of its own
	Record Record
}

// Change is what to do with a copy so that it has what the sender tells.
type Change struct {
	Set    map[string]string // to set
	Clear  []string          // to take back
	Left   []string          // left as somebody has set them at the copy
	Record Record            // afterwards, but for Told
}

// Plan compares a copy with what the sender tells of its source, less what the
// rules do not take. Untold are properties whose values the sender cannot
// tell: they stay as they are. What somebody set at the copy, or changed there,
// is neither overwritten nor taken back.
func Plan(c Copy, wanted map[string]string, untold []string) Change {
	ch := Change{Set: map[string]string{}, Record: Record{Set: map[string]string{}, Left: map[string]string{}}}
	for name, value := range wanted {
		if Has(c.Volume, name) {
			ch.want(c, name, value)
		}
	}
	for name, sum := range c.Record.Set {
		if _, still := wanted[name]; still {
			continue
		}
		now, local := c.Local[name]
		switch ours := local && Sum(now) == sum; {
		case slices.Contains(untold, name):
			ch.Record.Set[name] = sum
		case ours:
			ch.Clear = append(ch.Clear, name)
		}
	}
	slices.Sort(ch.Clear)
	slices.Sort(ch.Left)
	return ch
}

func (ch *Change) want(c Copy, name, value string) {
	want := Sum(value)
	now, local := c.Local[name]
	ours, known := c.Record.Set[name]
	left, seen := c.Record.Left[name]
	switch {
	case known && local && Sum(now) == ours: // as we set it
		if ours != want {
			ch.Set[name] = value
		}
		ch.Record.Set[name] = want
	case !local && !known && !seen:
		ch.Set[name] = value
		ch.Record.Set[name] = want
	default: // somebody set it, changed it or took it off
		if (!seen || left != want) && (!local || now != value) {
			ch.Left = append(ch.Left, name)
		}
		ch.Record.Left[name] = want
	}
}
