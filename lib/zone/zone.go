// Package zone finds time zones by name.
//
// It promises a zone that was read, or an error: package time alone takes UTC
// without a word if /etc/localtime leads to a zone that it cannot read.
package zone

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// localtime is the file of this host's zone.
const localtime = "/etc/localtime"

// Find returns the zone of a name such as Europe/Berlin. An empty name is this
// host's own zone, or UTC if it has none. $TZ is ignored: which snapshots are
// the first of a period must not depend on who asks.
func Find(name string) (*time.Location, error) {
	switch name {
	case "":
		return own(localtime)
	case "Local":
		return nil, errors.New(`zone "Local": leave the zone out for the local one`)
	}
	return load(name)
}

func load(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err == nil {
		return zone, nil
	}
	if _, missing := time.LoadLocation("Etc/UTC"); missing != nil {
		return nil, fmt.Errorf("zone %q: this host has no database of time zones: install tzdata", name)
	}
	return nil, fmt.Errorf("zone %q is not in this host's database of time zones", name)
}

// own reads the zone from a file. A symbolic link to one that is gone is an
// error, and no file at all is UTC.
func own(file string) (*time.Location, error) {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return time.UTC, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the local zone: %w", err)
	}
	zone, err := time.LoadLocationFromTZData("Local", text)
	if err != nil {
		return nil, fmt.Errorf("cannot read the local zone %q: %w", file, err)
	}
	return zone, nil
}
