package main

// overlapped makes decide return at once, and what it returns the error of the
// call before. Wait returns that of the last.
func overlapped(decide func(*group) error) (later func(*group) error, wait func() error) {
	running := make(chan error, 1)
	running <- nil
	wait = func() error { return <-running }
	return func(g *group) error {
		err := wait()
		if err != nil {
			running <- nil
			return err
		}
		go func() { running <- decide(g) }()
		return nil
	}, wait
}
