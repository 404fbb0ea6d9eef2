package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// source is where the rules come from.
type source struct {
	rules ruleFlags
	files fileFlags
}

// fileFlags collects the values of -f.
type fileFlags []string

// String is wanted by package flag.
func (f *fileFlags) String() string { return "" }

// Set takes the path of a file.
func (f *fileFlags) Set(path string) error {
	if path == "" {
		return errors.New("an empty path")
	}
	*f = append(*f, path)
	return nil
}

// ruleFlags collects the values of -r.
type ruleFlags []mapfilter.Rule

// String is wanted by package flag.
func (r *ruleFlags) String() string { return "" }

// Set reads PATTERN=RESULT. Neither a pattern nor a result holds a =.
func (r *ruleFlags) Set(text string) error {
	pattern, result, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("no = in it: a rule is PATTERN=RESULT")
	}
	at := mapfilter.Pos{File: fmt.Sprintf("-r %q", text)}
	*r = append(*r, mapfilter.Rule{Pattern: pattern, Result: result, Pos: at})
	return nil
}

// use is what the rules are for.
type use int

const (
	toFilter use = iota
	toMap
	toExplain
)

// parse joins the rules of the flags and of the files.
func (s *source) parse(u use) (*mapfilter.Rules, error) {
	if len(s.files)+len(s.rules) == 0 {
		return nil, cli.Usagef("no rules: give some with -r or -f")
	}
	var rules []mapfilter.Rule
	var wrong error
	for _, path := range s.files {
		read, err := readRules(path)
		rules, wrong = append(rules, read...), errors.Join(wrong, err)
	}
	rules = append(rules, s.rules...)
	parsed, err := mapfilter.Parse(rules)
	if wrong != nil || err != nil {
		return nil, errors.Join(wrong, err)
	}
	switch {
	case u == toMap:
		err = parsed.CheckMap()
	case parsed.IsFilter():
		err = parsed.CheckFilter()
	case u == toFilter:
		err = s.checkResults()
	}
	return parsed, err
}

// checkResults refuses a flag that would let pass what it names because its
// result is taken for a pool. A map in a file may send to a whole pool.
func (s *source) checkResults() error {
	var errs []error
	for _, r := range s.rules {
		switch strings.ToLower(r.Result) {
		case "!", "omit":
			continue
		}
		if !strings.Contains(r.Result, "/") {
			errs = append(errs, &mapfilter.Error{Pos: r.Pos, Pattern: r.Pattern,
				Problem: fmt.Sprintf(`result %q of pattern %q: a filter's result is ok or "!"`, r.Result, r.Pattern)})
		}
	}
	return errors.Join(errs...)
}

func readRules(path string) ([]mapfilter.Rule, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cli.Cannot("read rules", path, cause(err))
	}
	defer f.Close()
	rules, err := mapfilter.Read(f, path)
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, cli.Cannot("read rules", path, cause(err))
	}
	return rules, err
}

// cause is what an error of the file system says besides the path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
