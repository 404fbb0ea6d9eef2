package job

import (
	"github.com/zrepl-tools/zrepl-tools/lib/cursor"
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// back is how a sink whose configuration says "restore: allow" gives its client
// back what that has sent.
func (p Programs) back(j *config.Job) *endpoint.Back {
	return &endpoint.Back{
		Tag:       func(target string) string { return cursor.BackTag(j.Name, target) },
		Target:    func(tag string) (string, bool) { return cursor.BackOf(j.Name, tag) },
		SendFrame: p.sendFrame(j), Compress: j.Compress, Stall: j.Stall,
	}
}
