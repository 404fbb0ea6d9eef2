package zfssim

import (
	"io/fs"
	"os"
	"path/filepath"
)

// A change is one entry that two trees have differently. Its number is the
// place of its path in the union of both trees, so that the same two trees
// always give the same numbers.
type change struct {
	number  uint64
	path    string
	info    fs.FileInfo // nil: gone
	old     fs.FileInfo // nil: new
	size    int64
	content bool // the contents differ, not only the attributes
}

// diffTrees lists what must be done to the tree from to get the tree to. An
// entry that changes its kind comes twice: gone, then new.
func diffTrees(from, to string) ([]change, error) {
	d := differ{from: from, to: to, n: 1}
	if err := d.dir(""); err != nil {
		return nil, err
	}
	return d.out, nil
}

type differ struct {
	from, to string
	n        uint64
	out      []change
}

func (d *differ) dir(rel string) error {
	olds, err := entries(d.from, rel)
	if err != nil {
		olds = nil // new directory, or it was something else
	}
	news, err := entries(d.to, rel)
	if err != nil {
		return err
	}
	for len(olds) > 0 || len(news) > 0 {
		var o, n fs.DirEntry
		switch {
		case len(olds) == 0 || len(news) > 0 && news[0].Name() < olds[0].Name():
			n, news = news[0], news[1:]
		case len(news) == 0 || olds[0].Name() < news[0].Name():
			o, olds = olds[0], olds[1:]
		default:
			o, n, olds, news = olds[0], news[0], olds[1:], news[1:]
		}
		if err := d.entry(rel, o, n); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) entry(rel string, o, n fs.DirEntry) error {
	d.n++
	c := change{number: d.n}
	var err error
	if o != nil {
		c.path = filepath.Join(rel, o.Name())
		if c.old, err = o.Info(); err != nil {
			return err
		}
	}
	if n == nil {
		d.out = append(d.out, c)
		return nil
	}
	c.path = filepath.Join(rel, n.Name())
	if c.info, err = n.Info(); err != nil {
		return err
	}
	if c.old != nil && c.old.Mode().Type() != c.info.Mode().Type() {
		d.out = append(d.out, change{number: d.n, path: c.path, old: c.old})
		c.old = nil
	}
	if err := d.compare(&c); err != nil {
		return err
	}
	if c.info.IsDir() {
		return d.dir(c.path)
	}
	return nil
}

func (d *differ) compare(c *change) error {
	a, b := filepath.Join(d.from, c.path), filepath.Join(d.to, c.path)
	if c.old != nil && os.SameFile(c.old, c.info) {
		return nil
	}
	switch {
	case c.old == nil:
		c.content = true
	case c.info.Mode()&fs.ModeSymlink != 0:
		x, _ := os.Readlink(a)
		y, err := os.Readlink(b)
		if err != nil {
			return err
		}
		c.content = x != y
	case c.info.Mode().IsRegular():
		same := c.old.Size() == c.info.Size()
		if same {
			var err error
			if same, err = sameContent(a, b); err != nil {
				return err
			}
		}
		c.content = !same
	}
	if c.content && c.info.Mode().IsRegular() {
		c.size = c.info.Size()
	}
	// A directory's time changes with what is mounted in it, a link's cannot be set everywhere.
	x, y := attributes{}, attributesOf(c.info)
	if c.old != nil {
		x = attributesOf(c.old)
	}
	if !c.info.Mode().IsRegular() {
		x.MTime, y.MTime = 0, 0
	}
	if c.content || x != y {
		d.out = append(d.out, *c)
	}
	return nil
}
