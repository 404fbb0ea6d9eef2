package job

import (
	"github.com/zrepl-tools/zrepl-tools/lib/endpoint"
	"github.com/zrepl-tools/zrepl-tools/lib/history"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// memory is a file of the state directory with the snapshots that one end of a
// job has seen.
type memory struct {
	dir  state.Dir
	name string
}

// remember returns where an end of a job keeps what it has seen; nil: nowhere.
func remember(dir state.Dir, job, end string) endpoint.Memory {
	if dir.IsNone() {
		return nil
	}
	return memory{dir, job + "." + end}
}

// Read implements endpoint.Memory.
func (m memory) Read() ([]byte, error) { return m.dir.Read(m.name, history.MaxText) }

// Write implements endpoint.Memory.
func (m memory) Write(text []byte) error { return m.dir.Write(m.name, text) }
