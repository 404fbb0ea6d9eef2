package job

import (
	"context"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// coveredPatience is how long the one look at all holds may take.
const coveredPatience = 10 * time.Minute

// coveredBefore returns what finds the datasets that bear a cursor of a
// source's client: those were sent to it once.
func (p Programs) coveredBefore(j *config.Job, client string) func() ([]string, error) {
	if j.Type != config.Source {
		return nil
	}
	return func() (names []string, err error) {
		ctx, cancel := context.WithTimeout(context.Background(), coveredPatience)
		defer cancel()
		all, err := endpoint.Protection(ctx, p.ZFS)
		tag := endpoint.CursorTag(string(j.Type), client)
		for _, one := range all {
			if ds, _, _ := dataset.Split(one.Name); one.Tag == tag {
				names = append(names, ds)
			}
		}
		return names, err
	}
}
