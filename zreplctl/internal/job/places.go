package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// places lets so many runs of clients be served at once. Those that come later
// wait, the first first. All connections of a run have one place.
//
// It is a file in the run directory. Each place and each one that waits is a
// byte of it, which its server's process has locked, and which is free when that
// has ended, however that was. The text says whose each is.
type places struct {
	rundir, name string
	most         int
	file         *os.File // kept open: closing it would give up the place
}

// visitor is a run of a client.
type visitor struct {
	Client string `json:"client"`
	Run    string `json:"run"`
	Ticket int64  `json:"ticket,omitempty"` // of one that waits
}

func (v visitor) is(o visitor) bool { return v.Client == o.Client && v.Run == o.Run }

// placesText is the text of the file.
type placesText struct {
	Places  []visitor `json:"places"`
	Waiting []visitor `json:"waiting"`
	Next    int64     `json:"next"` // ticket
}

const (
	changing    = 0       // the byte of the one who changes the text
	firstSeat   = 1       // the bytes of the places
	firstTicket = 1 << 20 // the bytes of those who wait
	placesTick  = 100 * time.Millisecond
	maxWaiting  = 10_000
)

// placesLimit is how long a client waits for a place. It waits for a reply
// longer than that; see leastReply.
const placesLimit = leastReply - time.Minute

// take waits until there is a place for a run. Waits is called once if there is
// none yet.
func (p *places) take(ctx context.Context, client, run string, waits func()) error {
	file, err := openState(p.rundir, p.name)
	if err != nil {
		return err
	}
	p.file = file
	me := visitor{Client: client, Run: run}
	for end := time.Now().Add(placesLimit); ; {
		seated, err := p.ask(ctx, &me)
		switch {
		case seated:
			return nil
		case err != nil:
		case time.Now().After(end):
			err = &transfer.LinkError{Err: fmt.Errorf("%d clients are served already, and sessions allows no more", p.most)}
		}
		if err != nil {
			file.Close()
			return err
		}
		if waits != nil {
			waits()
			waits = nil
		}
		select {
		case <-time.After(placesTick):
		case <-ctx.Done():
			file.Close()
			return context.Cause(ctx)
		}
	}
}

// leave gives the place up.
func (p *places) leave() { p.file.Close() }

// ask takes a place, if it is this one's turn.
func (p *places) ask(ctx context.Context, me *visitor) (seated bool, err error) {
	err = poll(ctx, turnGrace, func() (bool, error) { return p.lock(unix.F_WRLCK, changing) })
	if err != nil {
		return false, fmt.Errorf("cannot lock %q: %w", p.file.Name(), err)
	}
	defer func() {
		_, unlock := p.lock(unix.F_UNLCK, changing)
		err = errors.Join(err, unlock)
	}()
	text := p.read()
	at, free := p.find(&text, *me)
	if at < 0 {
		if err := p.queue(&text, me); err != nil {
			return false, err
		}
		if turn := slices.Index(text.Waiting, *me); turn < len(free) {
			at = free[0]
			text.Places = append(text.Places, make([]visitor, max(0, at+1-len(text.Places)))...)
			text.Places[at] = visitor{Client: me.Client, Run: me.Run}
		}
	}
	if at >= 0 {
		if ok, err := p.lock(unix.F_RDLCK, firstSeat+int64(at)); !ok {
			return false, errors.Join(err, fmt.Errorf("cannot lock %q", p.file.Name()))
		}
		text.Waiting = slices.DeleteFunc(text.Waiting, func(v visitor) bool { return v == *me })
	}
	return at >= 0, p.write(text)
}

// find returns the place that another connection of the run has, or -1, and
// which places are free.
func (p *places) find(text *placesText, me visitor) (at int, free []int) {
	used := 0
	var empty []int
	for i := range max(p.most, len(text.Places)) {
		if !p.locked(firstSeat + int64(i)) {
			empty = append(empty, i)
			continue
		}
		used++
		if i < len(text.Places) && text.Places[i].is(me) {
			return i, nil
		}
	}
	return -1, empty[:min(len(empty), max(0, p.most-used))]
}

// queue lines up at the end, once, and drops those who have gone.
func (p *places) queue(text *placesText, me *visitor) error {
	text.Waiting = slices.DeleteFunc(text.Waiting, func(v visitor) bool {
		return v != *me && !p.locked(firstTicket+v.Ticket)
	})
	if slices.Contains(text.Waiting, *me) {
		return nil
	}
	if len(text.Waiting) >= maxWaiting {
		return &transfer.LinkError{Err: fmt.Errorf("%d clients wait already", maxWaiting)}
	}
	text.Next++
	me.Ticket = text.Next
	if ok, err := p.lock(unix.F_WRLCK, firstTicket+me.Ticket); !ok {
		return errors.Join(err, fmt.Errorf("cannot lock %q", p.file.Name()))
	}
	text.Waiting = append(text.Waiting, *me)
	return nil
}

func (p *places) lock(kind int16, at int64) (bool, error) { return lockByte(p.file, kind, at) }

// locked reports whether another process has a byte.
func (p *places) locked(at int64) bool {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: at, Len: 1}
	err := unix.FcntlFlock(p.file.Fd(), unix.F_GETLK, &l)
	return err == nil && l.Type != unix.F_UNLCK
}

// read returns what the file says. What cannot be understood was cut off when
// it was written: who has a place keeps it, and who waits lines up again.
func (p *places) read() (text placesText) {
	const most = 4 << 20
	b, err := io.ReadAll(io.NewSectionReader(p.file, 0, most))
	if err != nil || json.Unmarshal(b, &text) != nil || text.Next < 0 {
		return placesText{Next: time.Now().UnixNano()} // no ticket that is locked
	}
	return text
}

func (p *places) write(text placesText) error {
	return rewrite(p.file, text)
}

// placesOf are those that a run of a client of a job needs: of its job, and of
// all jobs. Always in this order, so that no two wait for each other.
func placesOf(c *config.Config, j *config.Job) (all []*places) {
	if j.Sessions > 0 {
		all = append(all, &places{rundir: c.Global.RunDir, name: j.Name + ".places", most: j.Sessions})
	}
	if most := c.Global.Limits.Sessions; most > 0 {
		all = append(all, &places{rundir: c.Global.RunDir, name: ".places", most: most})
	}
	return all
}

// looking is the run of a client's connections that have none. No run can have
// that name.
const looking = "@look"

// takeAll takes a place of each for a client without a run, until leave is called.
func takeAll(ctx context.Context, all []*places, client string, waits func()) (leave func(), err error) {
	for i, p := range all {
		if err := p.take(ctx, client, looking, waits); err != nil {
			for _, taken := range all[:i] {
				taken.leave()
			}
			return nil, err
		}
	}
	return func() {
		for _, p := range all {
			p.leave()
		}
	}, nil
}
