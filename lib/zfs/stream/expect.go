package stream

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// MaxChain is how many snapshots one stream may bring.
const MaxChain = 1000

// Expect says which stream is accepted. What it does not allow is refused.
type Expect struct {
	From dataset.GUID // 0: a full stream
	To   []Snapshot   // what it brings, oldest first; more than one: a package of zfs send -I

	// Raw: it must be raw, and otherwise it must not be. The others are allowed.
	dataset.SendOptions
	Resumed bool // it goes on with a partial receive
	Volume  bool // it is of a volume; otherwise of a filesystem
	Clone   bool // it makes a clone of the snapshot with guid From; otherwise it must not

	given bool
}

// Snapshot is one that a stream brings.
type Snapshot struct {
	GUID dataset.GUID
	Name string // that it is received under, without dataset and @; empty: its command knows
}

// Given reports whether Set was called.
func (e *Expect) Given() bool { return e.given }

// String is all words of the expectation.
func (e *Expect) String() string { return strings.Join(e.Words(), ",") }

// Set reads words joined by commas: from=GUID, to=GUID or to=GUID@NAME, raw,
// large_blocks, compressed, embedded, resumed, volume, clone; guids in decimal,
// as zfs(8) prints them. Each but to only once. It may be called several times,
// each call adding to what is expected: an Expect is a flag.Value.
func (e *Expect) Set(words string) error {
	e.given = true
	for word := range strings.SplitSeq(words, ",") {
		if err := e.add(word); err != nil {
			return err
		}
	}
	return nil
}

func (e *Expect) add(word string) error {
	flag := map[string]*bool{"raw": &e.Raw, "large_blocks": &e.LargeBlocks, "compressed": &e.Compressed,
		"embedded": &e.Embedded, "resumed": &e.Resumed, "volume": &e.Volume, "clone": &e.Clone}[word]
	key, value, _ := strings.Cut(word, "=")
	switch {
	case flag != nil && *flag, key == "from" && e.From != 0:
		return fmt.Errorf("%q twice", word)
	case flag != nil:
		*flag = true
		return nil
	case key == "from":
		guid, err := dataset.ParseGUID(value)
		e.From = guid
		return err
	case key == "to":
		return e.addTo(value)
	}
	return fmt.Errorf("%q is not from=GUID, to=GUID[@NAME], raw, large_blocks, compressed, embedded, resumed, volume or clone", word)
}

func (e *Expect) addTo(value string) error {
	guid, name, named := strings.Cut(value, "@")
	s := Snapshot{Name: name}
	var err error
	if s.GUID, err = dataset.ParseGUID(guid); err != nil {
		return err
	}
	if named {
		if err := dataset.CheckShort(name); err != nil {
			return fmt.Errorf("bad snapshot name %q: %w", name, err)
		}
	}
	e.To = append(e.To, s)
	return nil
}

// Words is what Set reads, in as many parts as are good for arguments of a
// command.
func (e Expect) Words() []string {
	var parts []string
	var b strings.Builder
	word := func(text string) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text)
	}
	if e.From != 0 {
		word("from=" + e.From.String())
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{e.Raw, "raw"}, {e.LargeBlocks, "large_blocks"}, {e.Compressed, "compressed"}, {e.Embedded, "embedded"},
		{e.Resumed, "resumed"}, {e.Volume, "volume"}, {e.Clone, "clone"}} {
		if f.on {
			word(f.name)
		}
	}
	for _, s := range e.To {
		text := "to=" + s.GUID.String()
		if s.Name != "" {
			text += "@" + s.Name
		}
		word(text)
		if b.Len() > maxWords {
			parts = append(parts, b.String())
			b.Reset()
		}
	}
	if b.Len() > 0 {
		parts = append(parts, b.String())
	}
	return parts
}

// maxWords keeps an argument far below what Linux allows for one (128 KiB).
const maxWords = 16 << 10

// Check reports what is wrong with an expectation as a whole.
func (e Expect) Check() error {
	if len(e.To) == 0 {
		return errors.New("to=GUID is missing")
	}
	if len(e.To) > MaxChain {
		return fmt.Errorf("a stream of %d snapshots: at most %d", len(e.To), MaxChain)
	}
	guids, names := map[dataset.GUID]bool{e.From: true}, map[string]bool{}
	for _, s := range e.To {
		switch {
		case s.GUID == 0:
			return errors.New("a snapshot without a guid")
		case guids[s.GUID]:
			return fmt.Errorf("guid %v twice", s.GUID)
		case s.Name == "" && len(e.To) > 1:
			return fmt.Errorf("guid %v has no name: of several snapshots each needs one, as in to=GUID@NAME", s.GUID)
		case s.Name != "" && names[s.Name]:
			return fmt.Errorf("snapshot name %q twice", s.Name)
		}
		guids[s.GUID], names[s.Name] = true, true
	}
	switch {
	case len(e.To) > 1 && e.From == 0:
		return errors.New("a stream of several snapshots starts from one: from=GUID is missing")
	case len(e.To) > 1 && e.Resumed:
		return errors.New("a resumed stream brings one snapshot")
	case e.Clone && e.From == 0:
		return errors.New("a clone is made of a snapshot: from=GUID is missing")
	case e.Clone && len(e.To) > 1:
		return errors.New("the stream of a clone brings one snapshot")
	}
	return nil
}
