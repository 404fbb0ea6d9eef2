package endpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// entry is a line of a far side's list. One that cannot be read concerns its
// dataset and not the whole list.
type entry struct{ transfer.Dataset }

// UnmarshalJSON implements json.Unmarshaler.
func (e *entry) UnmarshalJSON(text []byte) error {
	err := json.Unmarshal(text, &e.Dataset)
	if err == nil {
		return nil
	}
	e.Dataset = transfer.Dataset{Illegal: clean.Line(err.Error(), maxSaid)}
	var named struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(text, &named) == nil {
		e.Name = named.Name
	}
	return nil
}

// judge finds in a far side's list what cannot be true, so that it costs the
// dataset that it is of and no other. A dataset that is named twice is kept
// once.
func judge(list []transfer.Dataset) []transfer.Dataset {
	at := make(map[string]int, len(list))
	names := map[dataset.Version]bool{} // of one dataset, without guid and txg
	out := list[:0]
	for _, d := range list {
		if i, twice := at[d.Name]; twice {
			out[i] = transfer.Dataset{Name: clean.Name(d.Name), Illegal: "it is listed twice"}
			continue
		}
		if d.Illegal == "" {
			d.Illegal = wrong(&d, names)
		}
		at[d.Name] = len(out)
		if d.Illegal != "" { // a legal name stays as it is, an illegal one stays illegal
			d = transfer.Dataset{Name: clean.Name(d.Name), Illegal: d.Illegal}
		}
		out = append(out, d)
	}
	return out
}

// wrong says what is wrong with a dataset.
func wrong(d *transfer.Dataset, names map[dataset.Version]bool) string {
	if err := dataset.CheckName(d.Name); err != nil {
		return err.Error()
	}
	if text := wrongTexts(d); text != "" {
		return text
	}
	clear(names)
	for _, v := range d.Versions {
		if text := wrongVersion(d.Name, v); text != "" {
			return text
		}
		key := dataset.Version{Kind: v.Kind, Name: v.Name}
		if names[key] {
			return fmt.Sprintf("it has %s twice", v)
		}
		names[key] = true
	}
	judgeNames(d, names)
	return ""
}

func wrongVersion(ds string, v dataset.Version) string {
	if v.Kind != dataset.Snapshot && v.Kind != dataset.Bookmark {
		return fmt.Sprintf("it has \"%s\", which is neither a snapshot nor a bookmark", clean.Name(v.Name))
	}
	err := dataset.CheckShort(v.Name)
	switch full := len(ds) + 1 + len(v.Name); {
	case err != nil:
		return fmt.Sprintf("it has a snapshot or bookmark \"%s\": %v", clean.Name(v.Name), err)
	case full > dataset.MaxNameLen:
		return fmt.Sprintf("%s has a name of %d bytes: at most %d", v, full, dataset.MaxNameLen)
	case v.GUID == 0:
		return fmt.Sprintf("%s has the guid 0", v)
	}
	return ""
}

// asked leaves of a far side's problems those of the datasets that it was
// asked about. What it says is made short.
func asked(bad transfer.Problems, in transfer.Holds) transfer.Problems {
	out := transfer.Problems{}
	note := func(ds string) {
		if problem, ok := bad[ds]; ok {
			out[ds] = short(problem)
		}
	}
	for _, list := range [][]transfer.Snap{in.Hold, in.Release, in.Past, in.Bookmark, in.Forget, in.Common} {
		for _, s := range list {
			note(s.Dataset)
		}
	}
	for _, ds := range in.Unmark {
		note(ds)
	}
	return out
}

// short makes a far side's problem fit to be shown. A code that is not known is
// none.
func short(p transfer.Problem) transfer.Problem {
	return transfer.Problem{
		Text: cmp.Or(clean.Line(p.Text, maxProblem), "the far side does not say why"),
		Code: fault.Parse(string(p.Code)),
	}
}

// maxProblem is how much of a far side's problem is kept, in bytes.
const maxProblem = 2000

// readable reads the values of a far side's map one by one. Those that cannot be
// read are left out.
func readable[T any](in map[string]json.RawMessage) map[string]T {
	out := make(map[string]T, len(in))
	for key, text := range in {
		var v T
		if json.Unmarshal(text, &v) == nil {
			out[key] = v
		}
	}
	return out
}

// judgeTakes leaves of what a far side lacks the features that we know.
func judgeTakes(t transfer.Takes) transfer.Takes {
	for pool, lacks := range t.Lacks {
		if dataset.CheckName(pool) != nil {
			delete(t.Lacks, pool)
			continue
		}
		t.Lacks[pool] = slices.DeleteFunc(slices.Clone(streamFeatures), func(f string) bool { return !slices.Contains(lacks, f) })
	}
	return t
}

// judgeApplied leaves of what became of settings that of the datasets asked
// about, made short.
func judgeApplied(a transfer.Applied, in []transfer.Settings) transfer.Applied {
	out := transfer.Applied{Problems: transfer.Problems{}, Left: map[string]string{}}
	for _, s := range in {
		if problem, ok := a.Problems[s.Dataset]; ok {
			out.Problems[s.Dataset] = short(problem)
		}
		if text, ok := a.Left[s.Dataset]; ok {
			out.Left[s.Dataset] = clean.Line(text, maxProblem)
		}
	}
	return out
}
