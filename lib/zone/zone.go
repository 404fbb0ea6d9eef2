// Package zone finds time zones by name.
//
// It promises a zone that was read, or an error: package time alone takes UTC
// without a word if $TZ or /etc/localtime names a zone that it cannot read.
package zone

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// localtime is the file of the local zone if $TZ does not say another.
const localtime = "/etc/localtime"

// Find returns the zone of a name such as Europe/Berlin. An empty name is the
// local zone: $TZ, /etc/localtime, or UTC if there is neither.
func Find(name string) (*time.Location, error) {
	if name == "" {
		tz, set := os.LookupEnv("TZ")
		return time.Local, checkLocal(tz, set, localtime)
	}
	if name == "Local" {
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

// checkLocal reports why the local zone cannot be read.
func checkLocal(tz string, set bool, file string) error {
	if set {
		if tz = strings.TrimPrefix(tz, ":"); tz == "" || tz == "UTC" {
			return nil
		}
		if !strings.HasPrefix(tz, "/") {
			if _, err := load(tz); err != nil {
				return fmt.Errorf("the local zone, from $TZ: %w", err)
			}
			return nil
		}
		file = tz
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !set {
		return nil
	}
	if err == nil {
		_, err = time.LoadLocationFromTZData("Local", text)
	}
	if err != nil {
		return fmt.Errorf("cannot read the local zone %q: %w", file, err)
	}
	return nil
}
