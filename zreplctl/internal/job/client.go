package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// clientLock keeps the runs of one client apart, who are its servers: all of
// one run may serve at once. A run that is new ends what is left of an older
// one, and one that a newer run has ended is not let in again.
//
// It is a file in the run directory. Who serves has a read lock on its first
// byte, which tells everyone its process and is free when that has ended,
// however that was; who comes has a write lock on the second. The file says
// which runs there were. Whose the identity is has a file of its own, in state,
// since a boot may empty the run directory.
type clientLock struct {
	rundir, client string
	state          state.Dir
	file           *os.File // kept open: closing it would give up the lock
}

// clientRun is a line of the file.
type clientRun struct {
	Run   string    `json:"run"`
	Since time.Time `json:"since"`
	Job   string    `json:"job,omitempty"`
}

const (
	serving    = 0       // the byte of those who serve
	arriving   = 1       // and of the one who comes
	pinning    = 2       // and of the one who moves holds of restores
	firstPlace = 1 << 20 // the bytes of the connections, behind the text
)

const (
	rememberedRuns = 16
	endGrace       = 10 * time.Second // for servers of an older run
	turnGrace      = 30 * time.Second // for others who come
	lockTick       = 20 * time.Millisecond
)

// takePlace takes one of the places for connections of this client, a byte of
// the file each, which is free again when this process has ended, however that
// was. It has nothing to do with runs: one who only looks needs one, too.
func (c *clientLock) takePlace(places int) error {
	if err := c.open(); err != nil {
		return fmt.Errorf("cannot lock client %q: %w", c.client, err)
	}
	for i := range places {
		ok, err := c.lock(unix.F_WRLCK, firstPlace+int64(i))
		if err != nil {
			return fmt.Errorf("cannot lock client %q: %w", c.client, err)
		}
		if ok {
			return nil
		}
	}
	return &fullError{places}
}

// fullError says that a client has as many connections as it may have.
type fullError struct{ places int }

func (e *fullError) Error() string {
	return fmt.Sprintf("this client has %d connections already, and client_connections allows no more", e.places)
}

// ExitStatus is 75: one of them will end.
func (e *fullError) ExitStatus() int { return 75 }

// take lets the server of a job's run in. The error is a *transfer.LinkError
// where another run stands in the way.
func (c *clientLock) take(ctx context.Context, job, run string) error {
	if err := c.open(); err != nil {
		return fmt.Errorf("cannot lock client %q: %w", c.client, err)
	}
	err := c.enter(ctx, job, run)
	if link := (*transfer.LinkError)(nil); err == nil || errors.As(err, &link) || errors.As(err, new(*secondJobError)) {
		return err
	}
	return fmt.Errorf("cannot lock client %q: %w", c.client, err)
}

func (c *clientLock) open() (err error) {
	if c.file != nil {
		return nil
	}
	c.file, err = openState(c.rundir, c.client+".client")
	return err
}

func (c *clientLock) enter(ctx context.Context, job, run string) error {
	err := poll(ctx, turnGrace, func() (bool, error) { return c.lock(unix.F_WRLCK, arriving) })
	if errors.Is(err, errPatience) { // see KeepClientAway: others who come take their turn
		return &transfer.LinkError{Err: fmt.Errorf("zreplctl export or import-seed is active for %q, and keeps its runs away until it ends", c.client)}
	}
	if err != nil {
		return err
	}
	defer c.lock(unix.F_UNLCK, arriving)
	runs, err := c.read()
	if err != nil {
		return err
	}
	if err := c.second(runs, job); err != nil {
		return err
	}
	switch at := slices.IndexFunc(runs, func(r clientRun) bool { return r.Run == run }); {
	case at >= 0 && at < len(runs)-1:
		return &transfer.LinkError{Err: fmt.Errorf("a newer run of %q has taken over since %s", c.client, clock(runs[len(runs)-1].Since))}
	case at < 0:
		err := poll(ctx, endGrace, c.endOthers())
		if errors.Is(err, errPatience) && len(runs) > 0 {
			return &transfer.LinkError{Err: fmt.Errorf("another run of %q started at %s, and does not end", c.client, clock(runs[len(runs)-1].Since))}
		}
		if err != nil {
			return err
		}
		runs = append(runs, clientRun{run, time.Now(), job})
		if job != "" {
			_ = c.own(runs[len(runs)-1])
		}
		if err := c.write(runs[max(0, len(runs)-rememberedRuns):]); err != nil {
			return err
		}
	}
	_, err = c.lock(unix.F_RDLCK, serving)
	return err
}

// another is for how long after its last run a job keeps an identity to
// itself.
const another = 90 * 24 * time.Hour

// second refuses a second job: both would move one cursor, and the chain of
// the slower one would be cut.
func (c *clientLock) second(runs []clientRun, job string) error {
	last := c.owner(runs)
	if job == "" || last.Job == "" || last.Job == job || time.Since(last.Since) > another {
		return nil
	}
	return &secondJobError{client: c.client, job: job, last: last}
}

// owner is the last run that is known and named its job. One that named none
// makes nobody forget whose the identity is.
func (c *clientLock) owner(runs []clientRun) (last clientRun) {
	for _, r := range slices.Backward(runs) {
		if r.Job != "" {
			last = r
			break
		}
	}
	var noted clientRun
	if err := readNote(c.state, c.ownerName(), maxOwner, &noted); err == nil && noted.Since.After(last.Since) {
		return noted
	}
	return last
}

// own notes the last run. If that cannot be written, the run directory's own
// file tells until the next boot.
func (c *clientLock) own(last clientRun) error {
	if c.state.IsNone() {
		return nil
	}
	text, err := json.Marshal(last)
	if err != nil {
		return err
	}
	return c.state.Write(c.ownerName(), append(text, '\n'))
}

func (c *clientLock) ownerName() string { return c.client + ".owner" }

// maxOwner bounds the note, in bytes.
const maxOwner = 4 << 10

type secondJobError struct {
	client, job string
	last        clientRun
}

func (e *secondJobError) Error() string {
	return fmt.Sprintf("client identity %q belongs to job %q, which connected last at %s: two jobs would move one cursor, so job %q needs a client identity of its own; "+
		"if it replaces %q, run zreplctl forget with the serving job's name there", e.client, e.last.Job, clock(e.last.Since), e.job, e.last.Job)
}

func clock(t time.Time) string { return t.Format("2006-01-02 15:04:05") }

// endOthers returns what tells whether nobody serves any more; it signals
// those who do, each once.
func (c *clientLock) endOthers() func() (bool, error) {
	told := map[int]bool{}
	return func() (bool, error) {
		l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: serving, Len: 1}
		if err := unix.FcntlFlock(c.file.Fd(), unix.F_GETLK, &l); err != nil {
			return false, err
		}
		if l.Type == unix.F_UNLCK {
			return true, nil
		}
		if pid := int(l.Pid); pid > 0 && !told[pid] {
			told[pid] = true
			syscall.Kill(pid, syscall.SIGTERM)
		}
		return false, nil
	}
}

// lock takes or gives up a lock on one byte. It is false where somebody else
// has it.
func (c *clientLock) lock(kind int16, at int64) (bool, error) { return lockByte(c.file, kind, at) }

func lockByte(file *os.File, kind int16, at int64) (bool, error) {
	l := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1}
	err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

var errPatience = errors.New("it took too long")

// poll asks again and again until done, an error, or the limit has passed.
func poll(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	for end := time.Now().Add(limit); ; {
		switch ok, err := done(); {
		case ok || err != nil:
			return err
		case time.Now().After(end):
			return errPatience
		}
		select {
		case <-time.After(lockTick):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// read returns the runs that there were, the newest last. What cannot be
// understood was cut off when it was written, and nobody served then.
func (c *clientLock) read() (runs []clientRun, err error) {
	text, err := io.ReadAll(io.NewSectionReader(c.file, 0, 64<<10))
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &runs) != nil {
		return nil, nil
	}
	return runs, nil
}

func (c *clientLock) write(runs []clientRun) error {
	return rewrite(c.file, runs)
}

// rewrite replaces what a file holds, whose lock is the caller's, by one line
// of JSON.
func rewrite(f *os.File, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	return err
}
