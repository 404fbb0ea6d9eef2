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
	c, _, err := LoadText(path)
	return c, err
}

// LoadText is Load, and returns the text of the file with all that it includes,
// which Parse reads again.
func LoadText(path string) (*Config, []byte, error) {
	text, err := ReadText(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := Parse(text, path, SystemDefaults())
	return c, text, err
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
	text, err := readText(r, file)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(text, []byte("include")) {
		d := newDecoder(file)
		if root := d.document(text); root != nil && valueOf(root, "include") != nil {
			d.wrong(valueOf(root, "include"), "include: standard input is in no directory: name the file instead")
			return nil, d.err()
		}
	}
	return Parse(text, file, SystemDefaults())
}

func readText(r io.Reader, file string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, cli.Cannot("read configuration", file, cause(err))
	case len(text) > maxFile:
		return nil, cli.Cannot("read configuration", file, fmt.Errorf("it is longer than %d bytes", maxFile))
	}
	return text, nil
}

// Parse reads the configuration in text, with what it includes if ReadText made
// it; file is its name in messages. It does not look at anything else.
func Parse(text []byte, file string, defaults Global) (*Config, error) {
	d := newDecoder(file)
	roots := d.roots(unbundle(text, file))
	if roots == nil {
		return nil, d.err()
	}
	c := d.config(roots, defaults)
	d.check(c)
	if err := d.err(); err != nil {
		return nil, err
	}
	c.Warnings = d.warnings
	return c, nil
}

// roots parses each file. It returns nil if one of them is no YAML.
func (d *decoder) roots(files []fileText) (roots []*yaml.Node) {
	for i, f := range files {
		if i > 0 {
			d.files = append(d.files, f.path)
		}
		one := newDecoder(f.path)
		root := one.document(f.text)
		if root == nil {
			d.problems = append(d.problems, one.problems...)
			continue
		}
		shift(root, i*linesPerFile)
		roots = append(roots, root)
	}
	if len(d.problems) > 0 {
		return nil
	}
	return roots
}

// linesPerFile is more than a file has lines: the lines of the files that are
// included count on from multiples of it, so that a place tells its file.
const linesPerFile = 1 << 20

// shift moves all that is in a node down.
func shift(n *yaml.Node, lines int) {
	if lines == 0 {
		return
	}
	n.Line += lines
	for _, part := range n.Content {
		shift(part, lines)
	}
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
