package child

import "os"

// Inputs makes the inputs of programs that run one after the other. Several of
// them have one guard, which costs as much as a small program, and are in one
// process group: killing one kills those, too.
type Inputs struct {
	left    int      // that are not made
	made    []*Input // and not taken
	guarded bool
}

// Input is a pipe to a program's stdin, and what guards that program. The
// pipe does not end before the program's group is dead, even if we are killed,
// if there is a guard.
type Input struct {
	W    *os.File // ours; the caller's to close
	r    *os.File
	ward *ward
}

// NewInputs returns those of n programs. Guarded ones are for programs in a
// group other than ours. Close must be called.
func NewInputs(n int, guarded bool) *Inputs { return &Inputs{left: n, guarded: guarded} }

// Next is the input of one more program, to be given to Start.
func (i *Inputs) Next() (*Input, error) {
	if len(i.made) == 0 {
		if err := i.makeSome(); err != nil {
			return nil, err
		}
	}
	next := i.made[0]
	i.made = i.made[1:]
	return next, nil
}

// makeSome makes as many as one guard can keep.
func (i *Inputs) makeSome() error {
	n := max(1, min(i.left, maxKept))
	var keep []*os.File
	for range n {
		r, w, err := Pipe()
		if err != nil {
			i.Close()
			return err
		}
		i.made = append(i.made, &Input{W: w, r: r})
		keep = append(keep, w)
	}
	i.left -= n
	if !i.guarded {
		return nil
	}
	wards, err := startGuard(keep...)
	if err != nil {
		i.Close()
		return err
	}
	for at, w := range wards {
		i.made[at].ward = w
	}
	return nil
}

// Close closes those that were not taken.
func (i *Inputs) Close() {
	for _, unused := range i.made {
		unused.W.Close()
		unused.drop()
	}
	i.made = nil
}

// drop gives up an input whose program was not started.
func (i *Input) drop() {
	if i != nil {
		i.r.Close()
		i.ward.dismiss()
	}
}
