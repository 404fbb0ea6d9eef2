package mapfilter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

func (p *rule) readPattern() error {
	path, tree := strings.CutSuffix(p.Pattern, "<")
	p.path, p.tree = path, tree
	switch {
	case p.Pattern == "":
		return errors.New(`empty: "<" alone means everything`)
	case path == "":
		return nil
	case strings.Contains(path, "<"):
		return errors.New(`"<" is allowed once, at the end`)
	}
	return checkPath(path)
}

func (p *rule) readResult() error {
	switch strings.ToLower(p.Result) {
	case "":
		return errors.New(`empty: it is ok, "!" or a dataset`)
	case "ok":
		p.kind = passes
		return nil
	case "!", "omit":
		p.kind = omits
		return nil
	}
	if err := checkAnswer(p.Result); err != nil {
		return err
	}
	p.kind, p.target = maps, p.Result
	return checkPath(p.Result)
}

// checkPath is dataset.CheckName with words for what people write by mistake.
func checkPath(path string) error {
	switch {
	case path[0] == '/':
		return errors.New(`starts with "/": write a dataset's name, not a mountpoint`)
	case path[len(path)-1] == '/':
		return errors.New(`ends with "/"`)
	case strings.ContainsAny(path, "@#"):
		return fmt.Errorf("%q is part of a snapshot's or bookmark's name: write a dataset's name", path[strings.IndexAny(path, "@#")])
	case strings.ContainsAny(path, "<"):
		return errors.New(`"<" is allowed only at the end of a pattern`)
	case strings.Contains(path, "*"):
		return errors.New(`"*" has no meaning: "P<" is P and all below it`)
	}
	return dataset.CheckName(path)
}

// CheckFilter reports the rules that a filter can't have: those with a target.
func (rs *Rules) CheckFilter() error {
	return rs.check(maps, `a filter's result is ok or "!"`)
}

// CheckMap reports the rules that a map can't have: those that say ok.
func (rs *Rules) CheckMap() error {
	return rs.check(passes, `a map's result is a dataset or "!"`)
}

// IsFilter reports whether a rule says ok, so that no other may have a target.
func (rs *Rules) IsFilter() bool {
	return slices.ContainsFunc(rs.all, func(r *rule) bool { return r.kind == passes })
}

func (rs *Rules) check(wrong kind, problem string) error {
	var errs []error
	for _, r := range rs.all {
		if r.kind == wrong {
			at := r.At
			if at == (Pos{}) {
				at = r.Pos
			}
			errs = append(errs, &Error{at, r.Pattern, fmt.Sprintf("result %q of pattern %q: %s", r.Result, r.Pattern, problem)})
		}
	}
	return errors.Join(errs...)
}
