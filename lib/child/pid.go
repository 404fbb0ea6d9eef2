package child

// PID is the program's process id. After Wait it may be somebody else's.
func (p *Process) PID() int { return p.pid }
