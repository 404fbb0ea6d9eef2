package zfs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Dataset is a filesystem or a volume with some properties.
type Dataset struct {
	Name       string
	Type       string // filesystem or volume
	Properties map[string]Property
}

// Datasets returns the filesystems and volumes of roots (all there are
// without roots, those below too with recursive) in zfs's order, with
// properties, by one command, or two more if the value of one has a line
// break.
func (z *ZFS) Datasets(ctx context.Context, roots []string, recursive bool, properties ...string) ([]Dataset, error) {
	return z.objects(ctx, "filesystem,volume", roots, recursive, properties)
}

// DatasetsAndBookmarks is Datasets with the bookmarks, by the names of their
// datasets.
func (z *ZFS) DatasetsAndBookmarks(ctx context.Context, roots []string, recursive bool, properties ...string) (sets []Dataset, marks map[string][]dataset.Version, err error) {
	all, err := z.objects(ctx, "filesystem,volume,bookmark", roots, recursive, append([]string{"guid", "createtxg"}, properties...))
	if err := Present(err); err != nil {
		return nil, nil, err
	}
	marks = map[string][]dataset.Version{}
	for _, d := range all {
		if d.Type != "bookmark" {
			sets = append(sets, d)
			continue
		}
		ds, v, err := version([]string{d.Name, d.Properties["guid"].Value, d.Properties["createtxg"].Value})
		if err != nil {
			return nil, nil, err
		}
		marks[ds] = append(marks[ds], v)
	}
	return sets, marks, nil
}

func (z *ZFS) objects(ctx context.Context, types string, roots []string, recursive bool, properties []string) ([]Dataset, error) {
	loose, strict := slices.Clone(properties), slices.Clone(properties)
	loose = slices.DeleteFunc(loose, func(p string) bool { return !takesAnything(p) })
	strict = slices.DeleteFunc(strict, takesAnything)
	// A strict one comes last: otherwise a value could give itself another source,
	// and go on with a dataset of its own that takes the true one.
	last := strict
	if len(loose) > 0 && len(strict) == 0 {
		last = []string{closing}
	}
	all, err := z.datasets(ctx, types, roots, recursive, slices.Concat(loose, last))
	if len(strict) == 0 {
		for _, d := range all {
			delete(d.Properties, closing)
		}
	}
	if !errors.Is(err, errOutOfPlace) || len(loose) == 0 {
		return all, err
	}
	if all, err = z.datasets(ctx, types, roots, recursive, strict); err != nil {
		return nil, err
	}
	values, err := z.fenced(ctx, roots, recursive, loose, nil)
	for _, d := range all {
		maps.Copy(d.Properties, values[d.Name])
	}
	return all, err
}

// closing is a property that each object has, whose value has no line break.
const closing = "guid"

// takesAnything reports whether somebody can set a property to a value with
// line breaks.
func takesAnything(p string) bool { return p == "mountpoint" || strings.Contains(p, ":") }

// errOutOfPlace: a value with a line break would otherwise speak for other
// datasets.
var errOutOfPlace = errors.New("out of place, by a value with a line break")

// datasets reads datasets whose values have no line breaks.
func (z *ZFS) datasets(ctx context.Context, types string, roots []string, recursive bool, properties []string) ([]Dataset, error) {
	args := []string{"get", "-Hp", "-o", "name,property,value,source", "-t", types}
	if recursive {
		args = append(args, "-r")
	}
	for _, p := range properties {
		if err := checkProperty(p); err != nil {
			return nil, err
		}
	}
	if err := checkDatasets(roots...); err != nil {
		return nil, err
	}
	columns := append([]string{"type"}, properties...)
	args = append(args, strings.Join(columns, ","))
	var all []Dataset
	known := map[string]bool{}
	next := 0 // of columns
	err := z.lines(ctx, append(args, roots...), func(line string) error {
		name, p, value, err := propertyLine(line)
		if err != nil {
			return fmt.Errorf("%w: %w", errOutOfPlace, err)
		}
		begins := next == 0
		if p != columns[next] || begins && known[name] || !begins && all[len(all)-1].Name != name {
			return fmt.Errorf("zfs get: %w: %q", errOutOfPlace, line)
		}
		next = (next + 1) % len(columns)
		if begins {
			known[name] = true
			all = append(all, Dataset{Name: name, Type: value.Value, Properties: map[string]Property{}})
		} else if value.Source != "-" || value.Value != "-" {
			all[len(all)-1].Properties[p] = value
		}
		return nil
	})
	if err == nil && next != 0 {
		err = fmt.Errorf("zfs get: %w: the last dataset has not all properties", errOutOfPlace)
	}
	return all, err
}
