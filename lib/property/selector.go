package property

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Selector chooses the datasets on which a user property has a value, be it
// their own or inherited.
//
// It counts only what somebody has set on this host. A value that came with a
// stream was chosen by who sent it, and must not decide what is sent on,
// snapshotted or destroyed here.
type Selector struct{ Name, Value string }

// MaxSelected is the longest value that a selector compares with, in bytes.
const MaxSelected = 1024

// marks are zreplctl's own properties: they say what a dataset is, not what is
// to be done with it.
var marks = []string{"placeholder", "send", "properties", "restore"}

// ParseSelector reads NAME=VALUE.
func ParseSelector(text string) (s Selector, err error) {
	name, value, ok := strings.Cut(text, "=")
	switch own, ours := strings.CutPrefix(name, Prefix); {
	case !ok:
		return s, fmt.Errorf("%q: write NAME=VALUE", text)
	case !strings.Contains(name, ":"):
		return s, fmt.Errorf("%q is not a user property: its name has a colon", name)
	case !IsUser(name):
		return s, fmt.Errorf("%q is not the name of a user property", name)
	case ours && slices.Contains(marks, own):
		return s, fmt.Errorf("property %q marks what zreplctl itself has made", name)
	}
	if err := checkSelected(value); err != nil {
		return s, fmt.Errorf("the value of %q %w", name, err)
	}
	return Selector{name, value}, nil
}

func checkSelected(value string) error {
	switch {
	case value == "":
		return errors.New("is empty")
	case len(value) > MaxSelected:
		return fmt.Errorf("has more than %d bytes", MaxSelected)
	case !utf8.ValidString(value):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsGraphic(r) }):
		return errors.New("has characters that cannot be seen")
	}
	return nil
}

// String is NAME=VALUE.
func (s Selector) String() string { return s.Name + "=" + s.Value }

// A Setting is a property as zfs get shows it; its zero value: it is not set.
type Setting struct{ Value, Source string }

// inherited begins the source of a value that a dataset above has.
const inherited = "inherited from "

// From returns the dataset above that the value comes from; empty: from none.
func (s Setting) From() string {
	from, ok := strings.CutPrefix(s.Source, inherited)
	if !ok {
		return ""
	}
	return from
}

// A Choice says whether a dataset is chosen, and why.
type Choice struct {
	Chosen  bool
	Setting Setting
	// Received says that the value was received, by the dataset or by the one
	// that it inherits from.
	Received bool
}

// ErrMoved says that a value was not found where it was inherited from.
var ErrMoved = errors.New("it was not found there")

// Judge decides about a dataset with a setting. Above are the settings of other
// datasets, among them the one that the value is inherited from.
func (s Selector) Judge(own Setting, above func(name string) (Setting, bool)) (Choice, error) {
	c := Choice{Setting: own, Received: own.Source == "received"}
	from := own.From()
	switch {
	case own == Setting{}, c.Received, own.Source == "local":
	case from == "":
		return c, fmt.Errorf("property %q has the source %q, which is not known", s.Name, own.Source)
	default:
		origin, ok := above(from)
		// It changed between two looks, or zfs does not show what is above.
		if !ok || origin.Source != "local" && origin.Source != "received" || origin.Value != own.Value {
			return c, fmt.Errorf("property %q is inherited from %q: %w", s.Name, from, ErrMoved)
		}
		c.Received = origin.Source == "received"
	}
	c.Chosen = own != Setting{} && own.Value == s.Value && !c.Received
	return c, nil
}

// Why says in words what decided, for people.
func (c Choice) Why() string {
	where := "set here"
	from := c.Setting.From()
	switch {
	case c.Setting == Setting{}:
		return "not set"
	case c.Received && from != "":
		where = fmt.Sprintf("inherited from %s, which received it: what a sender sets does not count", from)
	case c.Received:
		where = "received: what a sender sets does not count"
	case from != "":
		where = "inherited from " + from
	}
	return fmt.Sprintf("%.100q, %s", c.Setting.Value, where)
}
