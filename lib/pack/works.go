package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// trialPatience is how long zstd(1) may take for a few bytes.
const trialPatience = 5 * time.Second

var trial = []byte("a few bytes")

var tried struct {
	sync.Mutex
	good map[Method]bool
}

// Works tries zstd(1) on a few bytes, with the very flags that streams are
// compressed and decompressed with: one that is there and does not work would
// fail each stream. What worked once is not tried again by this process.
func (m Method) Works() error {
	tried.Lock()
	defer tried.Unlock()
	if tried.good[m] {
		return nil
	}
	if err := m.try(); err != nil {
		return err
	}
	if tried.good == nil {
		tried.good = map[Method]bool{}
	}
	tried.good[m] = true
	return nil
}

func (m Method) try() error {
	if _, err := exec.LookPath(Zstd); err != nil {
		return errors.New("this host has no zstd")
	}
	ctx, cancel := context.WithTimeout(context.Background(), trialPatience)
	defer cancel()
	packed, err := filter(ctx, m.compress(), trial)
	if err != nil {
		return fmt.Errorf("zstd does not work on this host: %w", err)
	}
	plain, err := filter(ctx, decompress(), packed)
	if err == nil && !bytes.Equal(plain, trial) {
		err = errors.New("what it compresses is not what it decompresses")
	}
	if err != nil {
		return fmt.Errorf("zstd does not work on this host: %w", err)
	}
	return nil
}

// filter has a program make a few bytes of a few.
func filter(ctx context.Context, args []string, in []byte) ([]byte, error) {
	read, into, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	defer into.Close()
	out, write, err := child.PollablePipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	defer write.Close()
	if _, err := into.Write(in); err != nil { // a pipe has room for it
		return nil, err
	}
	into.Close()
	p, err := child.Start(ctx, child.Cmd{Args: args, Stdin: read, Stdout: write, Stderr: &child.Tail{}, Group: true, Alone: true, Grace: time.Second})
	if err != nil {
		return nil, err
	}
	write.Close()
	got := make([]byte, maxTrial)
	n := 0
	deadline, _ := ctx.Deadline()
	out.SetReadDeadline(deadline)
	for n < len(got) {
		more, err := out.Read(got[n:])
		if n += more; err != nil {
			late := errors.Is(err, os.ErrDeadlineExceeded)
			if late {
				p.Kill()
			}
			s := p.Wait()
			switch {
			case late:
				return nil, fmt.Errorf("it takes more than %v for a few bytes", trialPatience)
			case !s.OK():
				return nil, errors.New(why(s))
			}
			return got[:n], nil
		}
	}
	p.Kill()
	p.Wait()
	return nil, errors.New("it makes too much of a few bytes")
}

// maxTrial is more than a few bytes make.
const maxTrial = 4 << 10

// why is why a program failed.
func why(s child.Status) string {
	switch {
	case s.Signal != 0:
		return "killed by " + s.Signal.String()
	case s.Stderr != "":
		return clean.Line(s.Stderr, 300)
	}
	return fmt.Sprintf("exit status %d", s.Code)
}
