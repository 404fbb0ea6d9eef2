package rpc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// CallReceive makes a call whose reply is followed by octets; see Client.
func (c *Conn) CallReceive(ctx context.Context, name string, in, out any) (*os.File, func(bool) error, error) {
	x, err := c.begin(ctx, name, out)
	if err != nil {
		return nil, nil, err
	}
	lines, err := x.request(name, in, false, true)
	early := err == errReply
	if err == nil || early {
		err = x.reply(bodyOctets)
	}
	if err == nil && early {
		err = errEarly
	}
	if err == nil {
		err = x.value()
	}
	if err != nil {
		return nil, nil, x.settle(err, early || lines)
	}
	c.lent.Store(true)
	var once sync.Once
	done := func(clean bool) error {
		once.Do(func() { x.end(nil, !clean) })
		return nil
	}
	return c.w.inFile, done, nil
}

// CallSend makes a call whose request is followed by octets; see Client.
//
// Whichever ends first decides: an error that comes from the far side stops
// the sender, and a sender that fails closes the connection. A good reply may
// come before the sender has ended, for what it wrote may all be read before
// it is gone.
func (c *Conn) CallSend(ctx context.Context, name string, in any, send Sender, out any) error {
	x, err := c.begin(ctx, name, out)
	if err != nil {
		return err
	}
	lines, err := x.request(name, in, true, false)
	if err == errReply {
		if err = x.reply(x.shape.body); err == nil {
			err = errEarly
		}
	}
	if err != nil || lines {
		return x.end(err, true)
	}
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	x.c.in.patient = true
	replied := make(chan error, 1)
	go func() { replied <- x.replyMeanwhile(cancel) }()
	sendErr := send(sending, c.w.outFile)
	if sendErr == nil || sending.Err() != nil {
		err := <-replied
		if err == nil {
			err = sendErr // cancelled, although all was well
		}
		return x.end(err, err != nil)
	}
	// The far side sees no whole stream, and says so if it can. That may
	// explain ours: it reads no more, for example.
	select {
	case err = <-replied:
	case <-time.After(graceForReply):
		c.w.interrupt(ErrClosed)
		err = <-replied
	}
	var remote *RemoteError
	if errors.As(err, &remote) {
		sendErr = fmt.Errorf("%w; the far side says: %w", sendErr, remote)
	}
	return x.end(sendErr, true)
}

// graceForReply is how long the reply to a request whose octets could not be
// sent is waited for. A far side that has gone is noticed at once; a slow one
// needs the time to end what it runs.
const graceForReply = 10 * time.Second

// replyMeanwhile reads the reply while the request's octets are on their way.
func (x *exchange) replyMeanwhile(refused func()) error {
	err := x.reply(x.shape.body)
	if err == nil {
		err = x.value()
	}
	if err != nil {
		refused()
	}
	return err
}
