package frame

import (
	"errors"

	"golang.org/x/sys/unix"
)

// MaxInspect is how many bytes Inspect may ask for.
const MaxInspect = 64 << 10

// inspect reads the beginning of the input until it was accepted, and sends
// it. Nothing is sent of a stream that is refused.
func (s *sender) inspect() error {
	var held []byte
	for {
		need, err := s.Inspect(held)
		switch {
		case err == nil && need > MaxInspect:
			err = errors.New("more is to be looked at than may be held back")
			fallthrough
		case err != nil:
			return &RefusedError{err}
		case need <= len(held):
			s.unseen = false
			return s.begin(held)
		}
		if held, err = s.more(held, need); err != nil {
			return err
		}
	}
}

// more reads what is at hand, up to need bytes in all.
func (s *sender) more(held []byte, need int) ([]byte, error) {
	if err := s.awaitInput(); err != nil {
		return nil, err
	}
	buf := make([]byte, need-len(held))
	n, err := s.in.read(buf)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return held, nil
	case err != nil:
		return nil, &inputEnd{err}
	case n == 0:
		return nil, &inputEnd{}
	}
	return append(held, buf[:n]...), nil
}

// begin sends what was held back.
func (s *sender) begin(held []byte) error {
	if len(held) == 0 {
		return nil
	}
	s.inFrame = true
	if err := s.w.Data(held); err != nil {
		return err
	}
	s.inFrame = false
	s.Moved.Add(uint64(len(held)))
	return s.spend(len(held))
}
