package peek

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A stage is a new folder beside the target, of this user alone, in which a copy is
// made. The target's folder can be another user's, who can put any file in the place
// of a name in it; in the stage, names lead to what was made there.
type stage struct {
	beside *os.Root // the target's folder
	at     *os.Root // the stage
	name   string   // in beside, if nobody has moved it
}

// inStage is the name of the copy in its stage.
const inStage = "copy"

func newStage(beside *os.Root) (*stage, error) {
	name := Unfinished + rand.Text()
	if err := beside.Mkdir(name, 0o700); err != nil {
		return nil, err
	}
	at, err := beside.OpenRoot(name)
	if err == nil {
		if err = private(at); err == nil {
			return &stage{beside, at, name}, nil
		}
		at.Close()
	}
	return nil, errors.Join(err, ignoreGone(beside.Remove(name)))
}

// private checks that an open folder is the one that was made, whatever the name led
// to: new ones of this user come from this program alone. The mode is set again, since
// an ACL that the folder above hands down can be more than it says.
func private(at *os.Root) error {
	dir, err := at.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	if uid, _, ok := owner(info); !ok || uid != os.Geteuid() || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("the new folder %q is not of this user alone, mode %v", dir.Name(), info.Mode())
	}
	if err := dir.Chmod(0o700); err != nil {
		return err
	}
	if names, _ := dir.Readdirnames(1); len(names) > 0 {
		return fmt.Errorf("the new folder %q is not empty", dir.Name())
	}
	return nil
}

// publish gives the copy its name, and replaces nothing.
func (s *stage) publish(base string) error {
	from, err := s.at.Open(".")
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := s.beside.Open(".")
	if err != nil {
		return err
	}
	defer to.Close()
	return s.rename(int(from.Fd()), int(to.Fd()), base)
}

// close removes the stage, and what is in it. Its name can lead elsewhere by now, and
// so only an empty folder goes by name.
func (s *stage) close() error {
	err := ignoreGone(s.at.RemoveAll(inStage))
	err = errors.Join(err, s.at.Close())
	return errors.Join(err, ignoreGone(s.beside.Remove(s.name)))
}

// renameByLink is rename by means that each system has: a link, or, of a folder, an
// empty folder that it takes the place of.
func (s *stage) renameByLink(from, to int, base string) error {
	var stat unix.Stat_t
	if err := unix.Fstatat(from, inStage, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		if err := s.link(from, to, base); err != nil {
			return taken(err)
		}
		return unix.Unlinkat(from, inStage, 0)
	}
	if err := unix.Mkdirat(to, base, 0o700); err != nil {
		return taken(err)
	}
	if err := unix.Renameat(from, inStage, to, base); err != nil {
		unix.Unlinkat(to, base, unix.AT_REMOVEDIR) // only if nobody has put anything there
		return taken(err)
	}
	return nil
}
