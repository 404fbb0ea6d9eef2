//go:build !linux

package frame

import "errors"

// errNotHere says that data cannot be moved between these descriptors other
// than by copying.
var errNotHere = errors.New("not here")

type fastSender struct{}

func newFastSender(*sender) *fastSender        { return nil }
func (*fastSender) move(int, int) (int, error) { return 0, errNotHere }
func (*fastSender) atHand() int                { return 0 }
func (*fastSender) close()                     {}

type fastReceiver struct{}

func newFastReceiver(*receiver) *fastReceiver { return nil }
func (*fastReceiver) ready()                  {}
func (*fastReceiver) move(prefix) error       { return errNotHere }
func (*fastReceiver) close()                  {}

// enlarge does nothing: pipes have the size they have.
func (p *port) enlarge() {}

// unread is not known.
func (p *port) unread() int { return 0 }
