package plan

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// reference plans one dataset by trying everything, with no regard to cost. It
// shares no code with the package but the types, and knows only one -i for
// each snapshot. A line a step, or one line with the reason.
func reference(in Input, p Policy) []string {
	const nothing = ""
	if in.Encrypted && !in.Send.Raw {
		return []string{"options"}
	}
	var recv []dataset.Version
	some := false
	for _, v := range in.Sender {
		some = some || v.Kind == dataset.Snapshot
	}
	if in.Receiver != nil {
		recv = in.Receiver.Versions
	}
	// The newest receiver snapshot that any sender version equals.
	var base, mine *dataset.Version
	for i := range recv {
		if recv[i].Kind != dataset.Snapshot {
			continue
		}
		for j := range in.Sender {
			if in.Sender[j].GUID != recv[i].GUID {
				continue
			}
			if base == nil || recv[i].CreateTXG > base.CreateTXG || recv[i].GUID == base.GUID && in.Sender[j].Kind == dataset.Snapshot {
				base, mine = &recv[i], &in.Sender[j]
			}
		}
	}
	count := 0
	for _, v := range recv {
		if v.Kind == dataset.Snapshot {
			count++
		}
	}
	var part *Partial
	initial := count == 0
	if in.Receiver != nil {
		part = in.Receiver.Partial
		if some && initial && part == nil && !in.Receiver.Placeholder {
			return []string{"unrelated"}
		}
		if in.Encrypted && !in.Receiver.Encrypted && base != nil {
			return []string{"options"}
		}
	}
	if !some {
		return []string{"no-snapshots"}
	}
	if count > 0 && base == nil {
		return []string{"unrelated"}
	}
	foreign := 0
	for _, v := range recv {
		if base != nil && v.Kind == dataset.Snapshot && v.CreateTXG > base.CreateTXG {
			foreign++
		}
	}
	// Later sender snapshots by selection, smallest createtxg first.
	var todo []dataset.Version
	floor := uint64(0)
	from, fromGUID := nothing, dataset.GUID(0)
	if mine != nil {
		floor, from, fromGUID = mine.CreateTXG, mine.String(), mine.GUID
	}
	for {
		var next *dataset.Version
		for j := range in.Sender {
			v := &in.Sender[j]
			ok := v.Kind == dataset.Snapshot && v.CreateTXG > floor && refSends(p, v.Name) && !in.Deferred[v.GUID]
			if ok && (next == nil || v.CreateTXG < next.CreateTXG) {
				next = v
			}
		}
		if next == nil {
			break
		}
		todo, floor = append(todo, *next), next.CreateTXG
	}
	switch {
	case initial && len(todo) == 0 && refWaits(in.Sender, p):
		return []string{"none-chosen"}
	case initial && len(todo) == 0:
		return []string{"none-wanted"}
	case initial && p.Initial == Refuse:
		return []string{"initial-refused"}
	case initial && in.Receiver != nil && in.Receiver.Placeholder && (in.Encrypted || in.Receiver.Encrypted):
		return []string{"placeholder-encrypted"}
	case foreign > 0 && (in.Encrypted && in.Send.Raw || !in.Receiver.WrittenBase.Known || in.Receiver.WrittenBase.Bytes > 0):
		return []string{"diverged"}
	case len(todo) == 0 && !anyNamed(in.Sender, p) && !refWaits(in.Sender, p):
		return []string{"none-wanted"}
	case len(todo) == 0:
		return []string{"uptodate"}
	case !initial && foreign == 0 && in.Receiver.Written.Bytes > 0:
		return []string{"modified"}
	}
	var lines []string
	resumed, newest := false, p.Rules != nil && p.Rules.Newest
	if part != nil && part.From == fromGUID {
		for i, v := range todo {
			if v.GUID == part.To && (i == 0 || initial || newest) {
				lines = append(lines, fmt.Sprintf("resume %s>%s", from, v))
				from, todo, resumed = v.String(), todo[i:], true
				break
			}
		}
	}
	switch {
	case resumed:
	case initial && p.Initial == Every && !newest:
		lines, from = append(lines, "full >"+todo[0].String()), todo[0].String()
	case initial:
		todo = todo[len(todo)-1:]
		lines, from = append(lines, "full >"+todo[0].String()), todo[0].String()
	}
	var rest []dataset.Version
	if resumed || initial {
		rest = todo[1:]
	} else {
		rest = todo
	}
	passed := 0
	for newest && passed < len(rest)-1 {
		passed++
	}
	rest = rest[passed:]
	for _, v := range rest {
		lines, from = append(lines, fmt.Sprintf("incremental %s>%s", from, v)), v.String()
	}
	bring := rest
	if resumed || initial {
		bring = append([]dataset.Version{todo[0]}, rest...)
	}
	for _, v := range bring {
		for _, t := range recv {
			if t.Kind == dataset.Snapshot && t.Name == v.Name {
				return []string{"name-taken"}
			}
		}
	}
	return lines
}

// lines writes a result as reference does, compound steps taken apart.
func lines(r Result) []string {
	switch {
	case r.Conflict != nil:
		return []string{string(r.Conflict.Reason)}
	case len(r.Steps) == 0:
		return []string{"uptodate"}
	}
	var out []string
	for _, s := range r.Steps {
		from := ""
		if s.From != nil {
			from = s.From.String()
		}
		for _, v := range s.Brings {
			out = append(out, fmt.Sprintf("%s %s>%s", s.Kind, from, v))
			from = v.String()
		}
	}
	return out
}

// refRules are rules, and what they say of a name without regular expressions.
type refRules struct {
	rules     *Rules
	takes     func(name string) bool // instead of the prefix; nil: the prefix
	leavesOut func(name string) bool
}

func even(name string) bool { return strings.ContainsRune("02468", rune(name[len(name)-1])) }

var someRules = []refRules{
	{rules: nil},
	{rules: rules("", "[02468]$"), leavesOut: even},
	{rules: rules("^b_"), takes: func(name string) bool { return name[0] == 'b' }},
	{rules: rules("_1", "^b", "5$"), takes: func(name string) bool { return name[2] == '1' },
		leavesOut: func(name string) bool { return name[0] == 'b' || name[len(name)-1] == '5' }},
	{rules: &Rules{Newest: true}},
	{rules: onlyNewest(rules("", "[02468]$")), leavesOut: even},
	{rules: onlyNewest(rules("^b_")), takes: func(name string) bool { return name[0] == 'b' }},
	{rules: rules("", "_"), leavesOut: func(string) bool { return true }},
}

func rules(regex string, exclude ...string) *Rules {
	r := &Rules{}
	if regex != "" {
		r.Regex = regexp.MustCompile(regex)
	}
	for _, text := range exclude {
		r.Exclude = append(r.Exclude, regexp.MustCompile(text))
	}
	return r
}

func onlyNewest(r *Rules) *Rules {
	r.Newest = true
	return r
}

func refOf(p Policy) refRules {
	for _, r := range someRules {
		if r.rules == p.Rules {
			return r
		}
	}
	panic("unknown rules")
}

func refSends(p Policy, name string) bool {
	r := refOf(p)
	takes := strings.Index(name, p.Prefix) == 0
	if r.takes != nil {
		takes = r.takes(name)
	}
	return takes && (r.leavesOut == nil || !r.leavesOut(name))
}

// refWaits: the prefix fits, or does not count.
func refWaits(vs []dataset.Version, p Policy) bool {
	if r := refOf(p); r.rules == nil || r.takes != nil {
		return r.takes != nil
	}
	for _, v := range vs {
		if v.Kind == dataset.Snapshot && strings.Index(v.Name, p.Prefix) == 0 {
			return true
		}
	}
	return false
}

func anyNamed(vs []dataset.Version, p Policy) bool {
	for _, v := range vs {
		if v.Kind == dataset.Snapshot && refSends(p, v.Name) {
			return true
		}
	}
	return false
}
