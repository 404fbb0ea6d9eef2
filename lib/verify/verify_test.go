package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/digest"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/replicate"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// end has one snapshot, with sums of objects by their numbers.
type end struct {
	objects map[uint64]string
	most    int // objects that it tells
	big     bool
	err     error
	again   error // of the question for objects
	asked   []transfer.DigestRequest
}

func (e *end) Digest(_ context.Context, in transfer.DigestRequest) (out transfer.Digest, err error) {
	e.asked = append(e.asked, in)
	if e.err != nil {
		return out, e.err
	}
	if len(in.Groups) > 0 && e.again != nil {
		return out, e.again
	}
	var sums digest.Groups
	whole := sha256.New()
	var numbers []uint64
	for n := range e.objects {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	out = transfer.Digest{Objects: uint64(len(numbers)), BigEndian: e.big}
	for _, n := range numbers {
		o := digest.Object{Number: n, Sum: sha256.Sum256(fmt.Appendf(nil, "%d %s", n, e.objects[n]))}
		sums.Add(o)
		whole.Write(o.Sum[:])
		if !slices.Contains(in.Groups, digest.GroupOf(n)) {
			continue
		}
		if e.most > 0 && len(out.Each) == e.most {
			out.More = true
			continue
		}
		out.Each = append(out.Each, transfer.ObjectDigest{Object: n, Sum: e.objects[n]})
	}
	out.Sum, out.Groups = hex.EncodeToString(whole.Sum(nil)), sums.Bytes()
	return out, nil
}

// many are objects with sums of one letter.
func many(n int, change func(map[uint64]string)) map[uint64]string {
	all := map[uint64]string{}
	for i := range n {
		all[uint64(i+1)] = "a"
	}
	if change != nil {
		change(all)
	}
	return all
}

var base = plan.Base{Sender: dataset.Version{Kind: dataset.Snapshot, Name: "s", GUID: 7, CreateTXG: 1},
	Receiver: dataset.Version{Kind: dataset.Snapshot, Name: "t", GUID: 7, CreateTXG: 9}}

func compared(t *testing.T, from, to *end) (Result, error) {
	t.Helper()
	return Ends{from, to}.Compare(t.Context(), replicate.Pair{Source: "a", Target: "b", Raw: true}, base)
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		from, to *end
		want     Outcome
		why      string
		differ   []uint64
		more     bool
	}{
		"the same":      {&end{objects: many(5, nil)}, &end{objects: many(5, nil)}, Same, "", nil, false},
		"nothing":       {&end{}, &end{}, Same, "", nil, false},
		"one changed":   {&end{objects: many(5000, nil)}, &end{objects: many(5000, func(m map[uint64]string) { m[4321] = "b" })}, Differs, "objects differ: 4321", []uint64{4321}, false},
		"one missing":   {&end{objects: many(50, nil)}, &end{objects: many(50, func(m map[uint64]string) { delete(m, 7) })}, Differs, "objects differ: 7", []uint64{7}, false},
		"one more":      {&end{objects: many(50, nil)}, &end{objects: many(50, func(m map[uint64]string) { m[900] = "x" })}, Differs, "objects differ: 900", []uint64{900}, false},
		"byte order":    {&end{objects: many(5, nil)}, &end{objects: many(6, nil), big: true}, Cannot, "the hosts have different byte orders", nil, false},
		"cannot":        {&end{objects: many(5, nil)}, &end{err: errors.New("I/O error")}, Cannot, "cannot read the copy: I/O error", nil, false},
		"gone":          {&end{err: fault.With(fault.Gone, errors.New("gone"))}, &end{}, Skipped, "the snapshot was destroyed meanwhile: cannot read the source: gone", nil, false},
		"not found out": {&end{objects: many(5, nil), again: errors.New("no")}, &end{objects: many(4, nil)}, Differs, "the objects could not be found: cannot read the source: no", nil, false},
	} {
		r, err := compared(t, c.from, c.to)
		if err != nil || r.Outcome != c.want || r.Why != c.why || !slices.Equal(r.Differ, c.differ) || r.More != c.more {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if in := c.from.asked[0]; in.Dataset != "a" || in.Name != "s" || in.GUID != 7 || !in.Raw || in.Groups != nil {
			t.Errorf("%s: the source was asked %+v", name, in)
		}
	}
}

// However much differs, what is asked, kept and said is bounded.
func TestCompareMuch(t *testing.T) {
	other := func(m map[uint64]string) {
		for n := range m {
			m[n] = "b"
		}
	}
	to := &end{objects: many(100_000, other)}
	r, err := compared(t, &end{objects: many(100_000, nil)}, to)
	if err != nil || r.Outcome != Differs || len(r.Differ) != MaxNamed || !r.More || !strings.HasSuffix(r.Why, " 20 and more") {
		t.Errorf("%+v, %v", r, err)
	}
	if groups := to.asked[1].Groups; len(groups) != maxGroups {
		t.Errorf("asked about %d groups", len(groups))
	}
	r, err = compared(t, &end{objects: many(3000, nil)}, &end{objects: many(3000, func(m map[uint64]string) { m[2990] = "b" }), most: 3})
	if err != nil || r.Outcome != Differs || len(r.Differ) != 0 || !r.More || r.Why != "the digests differ" {
		t.Errorf("an end that has no room for the objects: %+v, %v", r, err)
	}
}

// A lost link, an end without the call and an end of the run are no word on the
// dataset.
func TestCompareStops(t *testing.T) {
	for _, err := range []error{&transfer.LinkError{Err: errors.New("lost")}, unable{}} {
		if r, got := compared(t, &end{objects: many(5, nil)}, &end{err: err}); !errors.Is(got, err) || r.Outcome != "" {
			t.Errorf("%+v, %v", r, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := (Ends{&end{}, &end{err: ctx.Err()}}).Compare(ctx, replicate.Pair{}, base); !errors.Is(err, context.Canceled) || r.Outcome != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

type unable struct{}

func (unable) Error() string { return "too old" }
func (unable) Unable() bool  { return true }
