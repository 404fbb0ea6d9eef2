package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/control"
)

// inheritance is the text of the configuration that is in force, as a file
// without a name that children get. The file of the configuration may be half
// written when a run begins.
type inheritance struct {
	mu   sync.RWMutex // held for reading while a child is started
	file *os.File
}

// set makes the file, beside the control socket; nil: none.
func (i *inheritance) set(control string, text []byte) error {
	var file *os.File
	if text != nil {
		var err error
		if file, err = nameless(filepath.Dir(control), text); err != nil {
			return err
		}
	}
	i.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.file = file
	return nil
}

func (i *inheritance) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.file != nil {
		i.file.Close()
	}
	i.file = nil
}

// nameless makes a file that can be read, and has no name.
func nameless(dir string, text []byte) (*os.File, error) {
	w, err := os.CreateTemp(dir, ".config")
	if err != nil {
		return nil, err
	}
	defer os.Remove(w.Name())
	_, err = w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return os.Open(w.Name())
}

// start starts a child that has stop_timeout to end once ctx is cancelled.
func (d *daemon) start(ctx context.Context, c child.Cmd) (*child.Process, error) {
	c.Grace = d.conf().Global.StopTimeout
	d.inherit.mu.RLock()
	defer d.inherit.mu.RUnlock()
	if d.inherit.file != nil {
		if c.Env == nil {
			c.Env = os.Environ()
		}
		c.Env = append(c.Env, control.ConfigEnv+"="+strconv.Itoa(firstExtra+len(c.Extra)))
		c.Extra = append(c.Extra, d.inherit.file)
	}
	return child.Start(ctx, c)
}

// firstExtra is the number of the first of a child's further descriptors.
const firstExtra = 3
