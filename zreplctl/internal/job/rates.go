package job

import (
	"path/filepath"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/rate"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// ratesEvery is how often a rate is set to that of the window: by so much later
// it changes at most.
const ratesEvery = 5 * time.Second

// rates keeps the limits of a job and of this host, which all that move streams
// share, at what the configuration says until it is ended. It returns the files.
func rates(g config.Global, j *config.Job) (files []string, end func(), err error) {
	var limits rate.All
	var says []*config.Rate
	for _, one := range []struct {
		name string
		rate *config.Rate
	}{{j.Name + ".rate", j.Rate}, {".rate", g.Rate}} {
		if one.rate == nil {
			continue
		}
		f, err := openState(g.RunDir, one.name)
		if err != nil {
			limits.Close()
			return nil, nil, err
		}
		f.Close()
		path := filepath.Join(g.RunDir, one.name)
		l, err := rate.Open(path)
		if err != nil {
			limits.Close()
			return nil, nil, err
		}
		limits, says, files = append(limits, l), append(says, one.rate), append(files, path)
	}
	if len(limits) == 0 {
		return nil, func() {}, nil
	}
	set := func() (err error) {
		for i, l := range limits {
			if failed := l.Set(says[i].At(time.Now(), time.Local)); failed != nil {
				err = failed
			}
		}
		return err
	}
	if err := set(); err != nil {
		limits.Close()
		return nil, nil, err
	}
	quit, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-time.After(ratesEvery):
				_ = set() // the rate of before stays in force
			case <-quit:
				return
			}
		}
	}()
	return files, func() { close(quit); <-over; limits.Close() }, nil
}
