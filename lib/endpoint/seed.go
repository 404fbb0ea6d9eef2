package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/seed"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// SeedDataset is a line of a file's list: a dataset with the one version that its
// stream brings.
type SeedDataset struct {
	transfer.Dataset
	Size uint64        `json:"size,omitempty"` // of the stream, about; 0: not known
	Uses transfer.Uses `json:"uses,omitzero"`
}

// Seed is the sending end of a job whose datasets and streams are in a file; see
// zseed(5). It trusts the file no more than a server. It has each stream once, and
// only those that follow what it sent last. Nothing is protected or changed by it:
// who wrote the file has done that.
type Seed struct {
	Head seed.Head

	in    *counted
	stall time.Duration // for how long nothing may come; 0: for ever
	file  *seed.Reader
	list  []transfer.Dataset
	extra map[string]*seedExtra // of each dataset of the list

	turn   chan struct{} // is full while somebody reads the file
	entry  *seed.Entry   // whose stream comes next; nil: none was announced
	begun  bool          // something behind the list was read
	ended  bool          // and all of it
	broken error         // why nothing more can be read
	last   chan error    // gets what was wrong with the stream that was sent last
}

// OpenSeed reads a file's list. Nothing may come of the file for so long at most.
func OpenSeed(ctx context.Context, in io.Reader, most Limits, stall time.Duration) (*Seed, error) {
	counts := &counted{Reader: in}
	s := &Seed{in: counts, stall: stall, file: seed.NewReader(counts), extra: map[string]*seedExtra{}, turn: make(chan struct{}, 1)}
	err := s.read(ctx, func() error {
		lines := func(yield func(entry, error) bool) {
			head, err := s.file.List(func(line []byte) error {
				var e entry
				if err := json.Unmarshal(line, &e); err != nil {
					return fmt.Errorf("a line of its list cannot be read: %s", clean.Line(err.Error(), maxSaid))
				}
				s.note(line, e.Name)
				if !yield(e, nil) {
					return errors.New("its list is too long")
				}
				return nil
			})
			if s.Head = head; err != nil {
				yield(entry{}, err)
			}
		}
		list, err := gather(lines, most)
		s.list = judgeSeed(judge(list))
		return err
	})
	return s, err
}

// seedExtra is what is kept of a dataset besides what is kept of all lists: a few
// words, whatever the file says.
type seedExtra struct {
	size           uint64
	surely, likely uint32 // of streamFeatures
	passed         bool   // its stream, which will not come again
}

// note keeps what the list says of a dataset's stream. The name is that of the list,
// whose size is bounded.
func (s *Seed) note(line []byte, name string) {
	var d struct {
		Size uint64
		Uses transfer.Uses
	}
	s.extra[name] = &seedExtra{}
	if json.Unmarshal(line, &d) == nil {
		*s.extra[name] = seedExtra{size: d.Size, surely: featureSet(d.Uses.Surely), likely: featureSet(d.Uses.Likely)}
	}
}

// featureSet keeps of features those that we know, one bit each.
func featureSet(names []string) (set uint32) {
	for i, f := range streamFeatures {
		if slices.Contains(names, f) {
			set |= 1 << i
		}
	}
	return set
}

func featuresOf(set uint32) (names []string) {
	for i, f := range streamFeatures {
		if set&(1<<i) != 0 {
			names = append(names, f)
		}
	}
	return names
}

// of is what is kept of a dataset.
func (s *Seed) of(name string) seedExtra {
	if e := s.extra[name]; e != nil {
		return *e
	}
	return seedExtra{}
}

// judgeSeed leaves of each dataset what a file can say. The versions are in the
// order of the streams, which is that of a run.
func judgeSeed(list []transfer.Dataset) []transfer.Dataset {
	for i := range list {
		d := &list[i]
		if d.Illegal == "" && (len(d.Versions) != 1 || d.Versions[0].Kind != dataset.Snapshot) {
			*d = transfer.Dataset{Name: d.Name, Illegal: "the file must list one snapshot of it, and nothing else"}
		}
		d.Held, d.Marks, d.Kept, d.Mark, d.Keep, d.Common = nil, nil, nil, 0, false, ""
		for k := range d.Versions {
			d.Versions[k].CreateTXG = uint64(i + 1)
		}
	}
	return list
}

// Datasets are those of the file.
func (s *Seed) Datasets() []transfer.Dataset { return slices.Clone(s.list) }

// Leave takes datasets out of what List lists.
func (s *Seed) Leave(names map[string]bool) {
	s.list = slices.DeleteFunc(slices.Clone(s.list), func(d transfer.Dataset) bool { return names[d.Name] })
}

// List is what the file lists.
func (s *Seed) List(context.Context, transfer.ListRequest) ([]transfer.Dataset, error) {
	return s.Datasets(), nil
}

// Size is what the file's list says.
func (s *Seed) Size(_ context.Context, in transfer.SendRequest) (uint64, error) {
	return s.of(in.Dataset).size, nil
}

// Sizes is Size of several streams.
func (s *Seed) Sizes(_ context.Context, in []transfer.SendRequest) (sizes []uint64, _ error) {
	for _, one := range in {
		sizes = append(sizes, s.of(one.Dataset).size)
	}
	return sizes, nil
}

// Uses is what the file's list says.
func (s *Seed) Uses(_ context.Context, in transfer.UsesRequest) (map[string]transfer.Uses, error) {
	all := map[string]transfer.Uses{}
	for _, name := range in.Datasets {
		e := s.of(name)
		all[name] = transfer.Uses{Surely: featuresOf(e.surely), Likely: featuresOf(e.likely)}
	}
	return judgeUses(all, in.Features), nil
}

// Held says of every snapshot of the file that the job holds it: that was done when
// the file was written.
func (s *Seed) Held(_ context.Context, in []transfer.Snap) ([]transfer.Snap, error) { return in, nil }

// Protect does nothing.
func (s *Seed) Protect(context.Context, transfer.Holds) (transfer.Problems, error) { return nil, nil }

// Strays finds none.
func (s *Seed) Strays(context.Context, transfer.StraysRequest) (transfer.Strays, error) {
	return transfer.Strays{}, nil
}

// Deferred finds none.
func (s *Seed) Deferred(context.Context, []transfer.Snap) ([]transfer.Snap, error) { return nil, nil }
