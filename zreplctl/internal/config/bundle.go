package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/cli"
)

// A bundle is the text of a configuration and of all files that it includes, as
// they were at one moment: the text of the first, and for each of the others a
// NUL, its path, a NUL, and its text. YAML holds no NUL. A file that includes
// none is its own bundle.

// fileText is one file of a bundle.
type fileText struct {
	path string // as messages name it
	text []byte
}

// The limits of a bundle.
const (
	maxBundle   = 1 << 20 // bytes
	maxIncluded = 1000    // files
)

func (b *bundle) bytes() []byte {
	all := slices.Clone(b.files[0].text)
	for _, f := range b.files[1:] {
		all = slices.Concat(all, []byte{0}, []byte(f.path), []byte{0}, f.text)
	}
	return all
}

type bundle struct{ files []fileText }

// unbundle takes a bundle apart. Path names the first file.
func unbundle(text []byte, path string) (files []fileText) {
	parts := bytes.Split(text, []byte{0})
	files = []fileText{{path, parts[0]}}
	if len(parts)%2 == 0 {
		return []fileText{{path, text}} // no bundle: the NUL is an error in it
	}
	for i := 1; i+1 < len(parts); i += 2 {
		files = append(files, fileText{string(parts[i]), parts[i+1]})
	}
	return files
}

// include reads the files that a configuration includes.
func include(text []byte, path string) ([]byte, error) {
	if bytes.IndexByte(text, 0) >= 0 || !bytes.Contains(text, []byte("include")) {
		return text, nil
	}
	d := newDecoder(path)
	root := d.document(text)
	if root == nil {
		return text, nil // Parse says why
	}
	v := valueOf(root, "include")
	if v == nil {
		return text, nil
	}
	patterns := d.patternsOf(v)
	if d.err() != nil {
		return text, nil
	}
	b := bundle{[]fileText{{path, text}}}
	size, seen := len(text), map[string]bool{filepath.Clean(path): true}
	for _, p := range patterns {
		names, err := p.files(filepath.Dir(path))
		if err != nil {
			return nil, &Problem{path, p.at.line, p.at.column, "include: " + err.Error(), 0}
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			text, err := readFile(name)
			if err != nil {
				return nil, err
			}
			if size += len(text); size > maxBundle || len(b.files) > maxIncluded {
				return nil, &Problem{path, p.at.line, p.at.column, fmt.Sprintf("include: more than %d files, or %d bytes in all", maxIncluded, maxBundle), 0}
			}
			b.files = append(b.files, fileText{name, text})
		}
	}
	return b.bytes(), nil
}

// pattern is a path of include, which can have * and ? and [ ] as in a shell.
type pattern struct {
	text string
	at   place
}

func (p pattern) isGlob() bool { return strings.ContainsAny(p.text, `*?[\`) }

// files are those that a pattern names, in order. One without wildcards names a
// file that must be there. Names that begin with a dot are none: editors and
// package managers make such files.
func (p pattern) files(dir string) (names []string, err error) {
	full := p.text
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, full)
	}
	if !p.isGlob() {
		if _, err := os.Stat(full); err != nil {
			return nil, fmt.Errorf("%q: %w", full, cause(err))
		}
		return []string{full}, nil
	}
	found, err := glob(full)
	if err != nil {
		return nil, err
	}
	for _, name := range found {
		if !strings.HasPrefix(filepath.Base(name), ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// glob is filepath.Glob, but a directory that cannot be read is an error: the
// jobs in it would be gone without a word. One that is not there has no files.
func glob(full string) (found []string, err error) {
	dir, base := filepath.Split(full)
	switch dir {
	case "":
		dir = "."
	case "/":
	default:
		dir = strings.TrimSuffix(dir, "/")
	}
	dirs := []string{dir}
	if (pattern{text: dir}).isGlob() {
		if dirs, err = glob(dir); err != nil {
			return nil, err
		}
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
			continue
		}
		var entries []fs.DirEntry
		if err == nil {
			entries, err = os.ReadDir(dir)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", dir, cause(err))
		}
		for _, entry := range entries {
			switch ok, err := filepath.Match(base, entry.Name()); {
			case err != nil:
				return nil, fmt.Errorf("%q: %w", full, err)
			case ok:
				found = append(found, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return found, nil
}

// patternsOf reads the key include: a pattern, or a list of them.
func (d *decoder) patternsOf(v *yaml.Node) (all []pattern) {
	add := func(n *yaml.Node) {
		if s, ok := d.str(n, "include"); ok {
			if _, err := filepath.Match(s, ""); err != nil || s == "" {
				d.wrong(n, "include: %q is no pattern of paths", s)
				return
			}
			all = append(all, pattern{s, place{n.Line, n.Column}})
		}
	}
	if v.Kind == yaml.ScalarNode {
		add(v)
		return all
	}
	d.list(v, "include", add)
	return all
}

// Includes reports whether the configuration in a file would include another
// file, if that were there.
func Includes(path, other string) bool {
	text, err := readFile(path)
	if err != nil {
		return false
	}
	d := newDecoder(path)
	root := d.document(text)
	if root == nil {
		return false
	}
	v := valueOf(root, "include")
	if v == nil {
		return false
	}
	for _, p := range d.patternsOf(v) {
		full := p.text
		if !filepath.IsAbs(full) {
			full = filepath.Join(filepath.Dir(path), full)
		}
		if ok, _ := filepath.Match(full, other); ok {
			return true
		}
	}
	return false
}

// HasInclude reports whether the file path has the key include.
func HasInclude(path string) bool {
	text, err := readFile(path)
	if err != nil {
		return false
	}
	root := newDecoder(path).document(text)
	return root != nil && valueOf(root, "include") != nil
}

// With returns the configuration in a file as if it included another text, too.
func With(path, other string, text []byte) (*Config, error) {
	whole, err := ReadText(path)
	if err != nil {
		return nil, err
	}
	return Parse(slices.Concat(whole, []byte{0}, []byte(other), []byte{0}, text), path, SystemDefaults())
}

// ReadText returns the text of a configuration with all that it includes.
func ReadText(path string) ([]byte, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return include(text, path)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, cli.Cannot("read configuration", path, cause(err)))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, cli.Cannot("read configuration", path, errors.New("it is a directory"))
	}
	return readText(f, path)
}
