package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

// places are the files that are tried where none is named.
var places = []string{"/etc/zreplctl/zreplctl.yml", "/usr/local/etc/zreplctl/zreplctl.yml"}

// maxFile bounds a file, in bytes: it holds about ten thousand rules, and the
// worst that can be written in it is read within a second.
const maxFile = 512 << 10

// Find returns the first of the default places where a file is.
func Find() (string, error) {
	for _, path := range places {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no configuration: neither %s nor %s exists", places[0], places[1])
}

// Load reads the configuration in the file path. The error joins everything
// that is wrong with it, each as a *Problem where it has a place.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, cli.Cannot("read configuration", path, cause(err)))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, cli.Cannot("read configuration", path, errors.New("it is a directory"))
	}
	return Read(f, path)
}

// unreadable adds whose file it is that this user may not read.
func unreadable(path string, err error) error {
	info, look := os.Stat(path)
	if look != nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	owner := "another user"
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = fmt.Sprintf("uid %d", stat.Uid)
	}
	return cli.Hint(err, "it belongs to %s (mode %04o), and this is uid %d: the user of jobs and of zreplctl serve must be able to read it", owner, info.Mode().Perm(), os.Geteuid())
}

// Read reads the configuration from r; file is its name in messages.
func Read(r io.Reader, file string) (*Config, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, cli.Cannot("read configuration", file, cause(err))
	case len(text) > maxFile:
		return nil, cli.Cannot("read configuration", file, fmt.Errorf("it is longer than %d bytes", maxFile))
	}
	return Parse(text, file, SystemDefaults())
}

// Parse reads the configuration in text; file is its name in messages. It
// does not look at anything else.
func Parse(text []byte, file string, defaults Global) (*Config, error) {
	d := &decoder{file: file, at: map[string]place{}, meant: map[string]bool{}}
	root := d.document(text)
	if root == nil {
		return nil, d.err()
	}
	c := d.config(root, defaults)
	d.check(c)
	if err := d.err(); err != nil {
		return nil, err
	}
	c.Warnings = d.warnings
	return c, nil
}

// document parses text as one document of YAML, or says what is wrong with it
// and returns nil.
func (d *decoder) document(text []byte) *yaml.Node {
	if !d.readable(text) {
		return nil
	}
	var doc yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	err := documents.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		d.wrongAt(place{}, "the file is empty")
		return nil
	case err != nil:
		d.syntax(text, err)
		return nil
	}
	var second yaml.Node
	if err := documents.Decode(&second); err == nil {
		d.wrong(&second, "a second document: a configuration has one")
		return nil
	} else if !errors.Is(err, io.EOF) {
		d.syntax(text, err)
		return nil
	}
	return doc.Content[0]
}

// cause is what a file's error says besides the operation and the path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
