package zfs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// SettingNames returns which properties each dataset of roots has set itself
// or received, by one command. It prints no value, so that none can be taken
// for a line.
func (z *ZFS) SettingNames(ctx context.Context, roots []string, recursive bool) (map[string][]string, error) {
	args := []string{"get", "-Hp", "-o", "name,property", "-s", "local,received", "-t", "filesystem,volume"}
	if recursive {
		args = append(args, "-r")
	}
	if err := checkDatasets(roots...); err != nil {
		return nil, err
	}
	all := map[string][]string{}
	err := z.lines(ctx, append(append(args, "all"), roots...), func(line string) error {
		name, p, ok := strings.Cut(line, "\t")
		if !ok {
			return fmt.Errorf("zfs get: not a line of two columns: %q", line)
		}
		all[name] = append(all[name], p)
		return nil
	})
	return all, err
}

// Settings returns those of some properties that each dataset of roots has set
// itself or received, by one command; and the read-only ones. A value may
// hold anything, line breaks too. FitNames says how many names fit.
func (z *ZFS) Settings(ctx context.Context, roots []string, recursive bool, names []string) (map[string]map[string]Property, error) {
	return z.fenced(ctx, roots, recursive, names, []string{"-s", "local,received,none"})
}

// fenced returns properties of each dataset of roots, whose values may hold
// anything.
func (z *ZFS) fenced(ctx context.Context, roots []string, recursive bool, names, sources []string) (map[string]map[string]Property, error) {
	args := slices.Concat([]string{"get", "-Hp", "-o", "name,property,value,source", "-t", "filesystem,volume"}, sources)
	if recursive {
		args = append(args, "-r")
	}
	for _, p := range names {
		if err := checkProperty(p); err != nil {
			return nil, err
		}
	}
	if err := checkDatasets(roots...); err != nil {
		return nil, err
	}
	f := newFence(names)
	args = append(append(args, f.columns()), roots...)
	if err := z.lines(ctx, args, f.line); err != nil {
		return f.all, err
	}
	if len(f.text) > 0 {
		return nil, fmt.Errorf("zfs get: a value without an end: %q", f.text[0])
	}
	return f.all, nil
}

// fence asks for a property behind each that is wanted, which no dataset has
// and whose name nobody could guess: what stands before it belongs to one
// value, whatever it looks like.
type fence struct {
	names []string
	mark  string
	text  []string // lines of the value that is being read
	all   map[string]map[string]Property
}

const fencePrefix = "zreplctl:end-"

func newFence(names []string) *fence {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	return &fence{names: names, mark: fencePrefix + hex.EncodeToString(nonce) + "-", all: map[string]map[string]Property{}}
}

func (f *fence) columns() string {
	var all []string
	for i, name := range f.names {
		all = append(all, name, f.mark+strconv.Itoa(i))
	}
	return strings.Join(all, ",")
}

func (f *fence) line(line string) error {
	before, behind, found := strings.Cut(line, "\t"+f.mark)
	number, unset := strings.CutSuffix(behind, "\t-\t-")
	i, err := strconv.Atoi(number)
	if !found || !unset || err != nil || i < 0 || i >= len(f.names) || dataset.CheckName(before) != nil {
		f.text = append(f.text, line)
		return nil
	}
	text := strings.Join(f.text, "\n")
	f.text = nil
	if f.all[before] == nil {
		f.all[before] = map[string]Property{}
	}
	if text == "" {
		return nil
	}
	name, p, value, err := propertyLine(text)
	if err != nil || name != before || p != f.names[i] {
		return fmt.Errorf("zfs get: out of place: %q", text)
	}
	if value.Source != "-" || value.Value != "-" {
		f.all[before][p] = value
	}
	return nil
}

// maxColumns is the longest list of properties that one argument holds on
// every system, in bytes.
const maxColumns = 120 << 10

// FitNames returns how many of names, from the first, Settings can read.
func FitNames(names []string) int {
	size := 0
	for i, name := range names {
		if size += len(name) + len(fencePrefix) + 48; size > maxColumns {
			return i
		}
	}
	return len(names)
}

// Set sets properties of datasets, by one command. Each dataset is a change of
// its own: the others are changed where one fails.
func (z *ZFS) Set(ctx context.Context, props map[string]string, names ...string) error {
	if err := checkDatasets(names...); err != nil {
		return err
	}
	set, err := assignments("", props)
	if err != nil || len(set) == 0 {
		return err
	}
	_, err = z.output(ctx, slices.Concat([]string{"set"}, set, names)...)
	return err
}

// Mount mounts a filesystem, and Unmount unmounts it.
func (z *ZFS) Mount(ctx context.Context, name string) error { return z.onDataset(ctx, "mount", name) }

// Unmount unmounts a filesystem.
func (z *ZFS) Unmount(ctx context.Context, name string) error {
	return z.onDataset(ctx, "unmount", name)
}

func (z *ZFS) onDataset(ctx context.Context, verb, name string) error {
	if err := checkDatasets(name); err != nil {
		return err
	}
	_, err := z.output(ctx, verb, name)
	return err
}
