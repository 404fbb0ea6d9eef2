package zfs

import (
	"fmt"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// checkAny accepts the name of a dataset, a snapshot or a bookmark. A legal
// name starts with a letter, so that none can be taken for an option.
func checkAny(names ...string) error {
	for _, name := range names {
		check := dataset.CheckName
		if strings.ContainsAny(name, "@#") {
			check = dataset.CheckFull
		}
		if err := check(name); err != nil {
			return fmt.Errorf("bad name %q: %w", name, err)
		}
	}
	return nil
}

func checkDatasets(names ...string) error {
	for _, name := range names {
		if err := dataset.CheckName(name); err != nil {
			return fmt.Errorf("bad dataset name %q: %w", name, err)
		}
	}
	return nil
}

func checkVersions(kind dataset.Kind, names ...string) error {
	what := "snapshot"
	if kind == dataset.Bookmark {
		what = "bookmark"
	}
	for _, name := range names {
		_, got, _ := dataset.Split(name)
		err := dataset.CheckFull(name)
		if err == nil && got != kind {
			err = fmt.Errorf("not a %s", what)
		}
		if err != nil {
			return fmt.Errorf("bad %s name %q: %w", what, name, err)
		}
	}
	return nil
}

// checkProperty accepts the name of a native or a user property
// (zfsprops(7): letters, digits and : + - . _, at most 256 bytes).
func checkProperty(name string) error {
	if name == "" || len(name) > 256 {
		return fmt.Errorf("bad property name %q: from 1 to 256 bytes", name)
	}
	for i := range len(name) {
		c := name[i]
		ok := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte(":+._@", c) >= 0 || c == '-' && i > 0
		if !ok {
			return fmt.Errorf("bad property name %q: character %q at byte %d", name, c, i+1)
		}
	}
	return nil
}

func checkValue(value string) error {
	for i := range len(value) {
		if value[i] < ' ' || value[i] == 0x7f {
			return fmt.Errorf("bad property value %q: control character at byte %d", value, i+1)
		}
	}
	return nil
}

// assignments makes the arguments FLAG name=value of props, in order of name.
func assignments(flag string, props map[string]string) ([]string, error) {
	var args []string
	for _, name := range sortedKeys(props) {
		if err := checkProperty(name); err != nil {
			return nil, err
		}
		if err := checkValue(props[name]); err != nil {
			return nil, err
		}
		if flag != "" {
			args = append(args, flag)
		}
		args = append(args, name+"="+props[name])
	}
	return args, nil
}
