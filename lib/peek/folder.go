package peek

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many symbolic links are followed on the way to a folder, as the
// system does.
const maxLinks = 40

// openFolder opens the folder that a copy goes to. On the way it follows only the
// symbolic links of root and of this user: somebody else's, in a folder that is theirs,
// could be put there to have a file appear elsewhere.
func openFolder(dir string) (*os.Root, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	top, err := os.OpenRoot("/")
	if err != nil {
		return nil, err
	}
	w := &way{at: []*os.Root{top}, rest: strings.Split(full, "/")}
	for links := 0; len(w.rest) > 0 && err == nil; {
		var link bool
		if link, err = w.step(); link {
			links++
		}
		if links > maxLinks {
			err = syscall.ELOOP
		}
	}
	if err != nil {
		w.leave(0)
		return nil, fmt.Errorf("%q: %w", dir, err)
	}
	last := w.at[len(w.at)-1]
	w.at = w.at[:len(w.at)-1]
	w.leave(0)
	return last, nil
}

// way is a walk from the root of all: the folders that are open, and the names that
// are left.
type way struct {
	at   []*os.Root
	rest []string
}

// leave closes all but the first n folders.
func (w *way) leave(n int) {
	for len(w.at) > n {
		w.at[len(w.at)-1].Close()
		w.at = w.at[:len(w.at)-1]
	}
}

func (w *way) step() (link bool, err error) {
	name, at := w.rest[0], w.at[len(w.at)-1]
	w.rest = w.rest[1:]
	switch name {
	case "", ".":
		return false, nil
	case "..":
		w.leave(max(len(w.at)-1, 1))
		return false, nil
	}
	next, err := enter(at, name)
	if err == nil {
		w.at = append(w.at, next)
		return false, nil
	}
	if link := (*LinkError)(nil); !errors.As(err, &link) {
		return false, err
	}
	to, err := trusted(at, name)
	if err != nil {
		return true, err
	}
	if strings.HasPrefix(to, "/") {
		w.leave(1)
	}
	w.rest = append(strings.Split(to, "/"), w.rest...)
	return true, nil
}

// trusted is where a symbolic link leads that root or this user has made.
func trusted(at *os.Root, name string) (to string, err error) {
	was, err := at.Lstat(name)
	if err != nil {
		return "", err
	}
	if to, err = at.Readlink(name); err != nil {
		return "", err
	}
	now, err := at.Lstat(name)
	if err != nil || !os.SameFile(was, now) {
		return "", errors.Join(errChanges, err)
	}
	if uid, _, ok := owner(was); !ok || uid != 0 && uid != os.Geteuid() {
		return "", fmt.Errorf("%q on the way is a symbolic link of another user; name the path to which it leads", name)
	}
	return to, nil
}
