package endpoint

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// framer is a zsend-frame or zrecv-frame that moves the streams of one
// connection, one after another: to start one for each stream would cost more
// than a small stream does. It moves no more once a stream was anything but
// good.
type framer struct {
	p        *child.Process
	cancel   context.CancelFunc
	commands *os.File
	answers  chan []byte          // a line for each stream; closed when it has ended
	counted  chan struct{}        // gets one when all of a stream is counted; closed likewise
	flow     atomic.Pointer[flow] // of the current stream
	ends     [2]*os.File          // of the connection
}

// frameJob is a line of -each.
type frameJob struct {
	Command  []string `json:"command"`
	Expect   []string `json:"expect"`
	Compress string   `json:"compress,omitempty"`
}

// frameFiles are the descriptors of a framer: the connection is one of the first
// two.
type frameFiles struct {
	stdin, stdout *os.File
	inherit       []*os.File
}

func (f frameFiles) ends() [2]*os.File { return [2]*os.File{f.stdin, f.stdout} }

// startFramer starts a program.
func startFramer(args []string, files frameFiles) (_ *framer, err error) {
	var ours, theirs []*os.File
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			for _, f := range ours {
				f.Close()
			}
		}
	}()
	commands, ourCommands, err := child.Pipe()
	if err != nil {
		return nil, err
	}
	theirs, ours = append(theirs, commands), append(ours, ourCommands)
	for range 2 {
		r, w, err := child.PollablePipe()
		if err != nil {
			return nil, err
		}
		theirs, ours = append(theirs, w), append(ours, r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p, err := child.Start(ctx, child.Cmd{
		Args:  slices.Concat(args, []string{"-each", "3", "-status-fd", "4", "-progress-fd", "5"}),
		Stdin: files.stdin, Stdout: files.stdout, Stderr: &child.Tail{},
		Extra: slices.Concat(theirs, files.inherit), Group: true, Lifeline: true})
	if err != nil {
		cancel()
		return nil, err
	}
	fr := &framer{p: p, cancel: cancel, commands: ourCommands, answers: make(chan []byte, 1), counted: make(chan struct{}, 1),
		ends: files.ends()}
	go fr.read(ours[1])
	go fr.count(ours[2])
	return fr, nil
}

// maxAnswer bounds a line of -status-fd.
const maxAnswer = 1 << 20

// read passes on what is said of each stream.
func (fr *framer) read(status *os.File) {
	defer close(fr.answers)
	defer status.Close()
	lines := bufio.NewScanner(status)
	lines.Buffer(nil, maxAnswer)
	for lines.Scan() {
		fr.answers <- bytes.Clone(lines.Bytes())
	}
}

// count keeps the flow of the current stream up to date.
func (fr *framer) count(progress *os.File) {
	defer close(fr.counted)
	defer progress.Close()
	lines := json.NewDecoder(progress)
	for {
		var line struct {
			Bytes, Link  uint64
			Ending, Done bool
		}
		if lines.Decode(&line) != nil {
			return
		}
		if f := fr.flow.Load(); f != nil {
			f.moved.Store(line.Bytes)
			f.link.Store(line.Link)
			f.ending.Store(line.Ending)
		}
		if line.Done {
			fr.counted <- struct{}{}
		}
	}
}

// errStuck says that a framer did not end.
var errStuck = errors.New("the program does not end")

// move has one stream moved. The answer is the line of -status-fd, nil if
// there was none; said tells how the program ended, or that it goes on, with
// what the command wrote to stderr. If ctx is cancelled, it ends the program;
// one that does not end even then is left behind.
func (fr *framer) move(ctx context.Context, f *flow, job frameJob) (answer []byte, said child.Status, err error) {
	line, err := json.Marshal(job)
	if err != nil {
		return nil, said, err
	}
	stop := context.AfterFunc(ctx, fr.cancel)
	fr.flow.Store(f)
	defer fr.flow.Store(nil)
	fr.commands.Write(append(line, '\n')) // an error is its end, which is seen below
	select {
	case answer = <-fr.answers:
	case <-ctx.Done():
		select {
		case answer = <-fr.answers:
		case <-time.After(stuckGrace):
			return nil, said, errStuck
		}
	}
	var o frameOutcome
	if answer != nil && json.Unmarshal(answer, &o) == nil && o.Outcome == "done" {
		<-fr.counted
		if stop() {
			return answer, child.Status{Stderr: o.Stderr}, nil
		}
	}
	fr.commands.Close()
	if !ended(ctx, fr.p) {
		return nil, said, errStuck
	}
	said = fr.p.Wait()
	stop()
	if o.Stderr != "" {
		said.Stderr = o.Stderr + "\n" + said.Stderr
	}
	for range fr.counted {
	}
	return answer, said, errEnded
}

// errEnded says that a framer has ended.
var errEnded = errors.New("the program has ended")

// Close ends a framer that moves nothing.
func (fr *framer) Close() error {
	fr.commands.Close()
	select {
	case <-fr.p.Done():
	case <-time.After(stuckGrace):
		fr.cancel()
		return errStuck
	}
	fr.p.Wait()
	fr.cancel()
	return nil
}

// move has a stream moved by the program of a connection, or by a new one. An
// error says that it could not even be begun, or is that of ctx.
func (f *flow) move(ctx context.Context, slot *transfer.Slot, args []string, files frameFiles, job frameJob) (answer []byte, said child.Status, err error) {
	fr, _ := slot.Take().(*framer)
	if fr != nil && fr.ends != files.ends() { // a server may have several connections
		fr.Close()
		fr = nil
	}
	if fr == nil {
		if fr, err = startFramer(args, files); err != nil {
			return nil, said, err
		}
	}
	answer, said, err = fr.move(ctx, f, job)
	switch err {
	case nil:
		slot.Put(fr)
	case errEnded:
		err = nil
	case errStuck:
		err = cmp.Or(stalled(ctx), ctx.Err())
	}
	return answer, said, err
}
