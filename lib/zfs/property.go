package zfs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Property is the value of a property and where it comes from: local,
// default, received, temporary, none, or "inherited from NAME"; "-" and the
// empty value for one that the object does not have.
type Property struct {
	Value, Source string
}

// GetOptions say what zfs get shows.
type GetOptions struct {
	Properties []string
	Names      []string // datasets or versions; none: everything there is
}

// Get runs one zfs get -Hp and returns the properties by object and name. A
// user property that an object does not have is left out. Values with a line
// break can't be told from two lines and are an error.
func (z *ZFS) Get(ctx context.Context, o GetOptions) (map[string]map[string]Property, error) {
	args := []string{"get", "-Hp", "-o", "name,property,value,source"}
	for _, p := range o.Properties {
		if err := checkProperty(p); err != nil {
			return nil, err
		}
	}
	if err := checkAny(o.Names...); err != nil {
		return nil, err
	}
	args = append(append(args, strings.Join(o.Properties, ",")), o.Names...)
	all := map[string]map[string]Property{}
	err := z.lines(ctx, args, func(line string) error {
		name, p, value, err := propertyLine(line)
		if err != nil {
			return err
		}
		if all[name] == nil {
			all[name] = map[string]Property{}
		}
		if _, twice := all[name][p]; twice || !slices.Contains(o.Properties, p) {
			return fmt.Errorf("zfs get: out of place, by a value with a line break: %q", line)
		}
		if value.Source != "-" || value.Value != "-" {
			all[name][p] = value
		}
		return nil
	})
	return all, err
}

// propertyLine allows for tabs in the value.
func propertyLine(line string) (name, property string, p Property, err error) {
	name, rest, ok1 := strings.Cut(line, "\t")
	property, rest, ok2 := strings.Cut(rest, "\t")
	last := strings.LastIndexByte(rest, '\t')
	if !ok1 || !ok2 || last < 0 {
		return "", "", p, fmt.Errorf("zfs get: not a line of four columns: %q", line)
	}
	return name, property, Property{Value: rest[:last], Source: rest[last+1:]}, nil
}

// Inherit clears a local property of objects, so that its parent's or the
// default holds again.
func (z *ZFS) Inherit(ctx context.Context, property string, names ...string) error {
	if err := checkProperty(property); err != nil {
		return err
	}
	if err := checkAny(names...); err != nil {
		return err
	}
	_, err := z.output(ctx, append([]string{"inherit", property}, names...)...)
	return err
}

// Create makes a filesystem with the given properties. It is not mounted
// (-u), whatever they say.
func (z *ZFS) Create(ctx context.Context, name string, props map[string]string) error {
	if err := checkDatasets(name); err != nil {
		return err
	}
	set, err := assignments("-o", props)
	if err != nil {
		return err
	}
	_, err = z.output(ctx, append(append([]string{"create", "-u"}, set...), name)...)
	return err
}

// Rename gives a dataset another name, with all below it. What the new name stands
// under has to be there, and the new name has not.
func (z *ZFS) Rename(ctx context.Context, from, to string) error {
	if err := checkDatasets(from, to); err != nil {
		return err
	}
	_, err := z.output(ctx, "rename", from, to)
	return err
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
