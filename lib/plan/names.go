package plan

import (
	"fmt"
	"strings"
)

// leavesOut says why a snapshot of this name is not sent; "": it is.
func (p *Policy) leavesOut(name string) string {
	switch {
	case !strings.HasPrefix(name, p.Prefix):
		return fmt.Sprintf("whose name does not start with %q", p.Prefix)
	case p.Sends != nil && !p.Sends(name):
		return "which the job's rules for snapshots leave out"
	}
	return ""
}

// leavesOutAll says why no snapshot is sent.
func (p *Policy) leavesOutAll() string {
	if p.Sends != nil {
		return fmt.Sprintf("the job sends none of them: none starts with %q and passes its rules for snapshots", p.Prefix)
	}
	return fmt.Sprintf("the name of none starts with %q", p.Prefix)
}
