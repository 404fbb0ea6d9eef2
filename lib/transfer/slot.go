package transfer

import (
	"io"
	"sync"
)

// Slot keeps the program that moves the streams of one connection, for the
// next of them. Whoever ends the connection closes the slot first.
type Slot struct {
	mu      sync.Mutex
	program io.Closer
	closed  bool
}

// Take takes the program out, nil if there is none. A nil Slot has none.
func (s *Slot) Take() io.Closer {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	program := s.program
	s.program = nil
	return program
}

// Put keeps a program, or closes it if nothing more will come.
func (s *Slot) Put(program io.Closer) {
	if s == nil {
		program.Close()
		return
	}
	s.mu.Lock()
	if s.closed || s.program != nil {
		s.mu.Unlock()
		program.Close()
		return
	}
	s.program = program
	s.mu.Unlock()
}

// Close closes the program, and any that is put there later.
func (s *Slot) Close() {
	if s == nil {
		return
	}
	program := s.Take()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if program != nil {
		program.Close()
	}
}
