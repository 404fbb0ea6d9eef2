package control

import (
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
)

// End is how a command that runs a job ended: the line that it writes to
// -status-fd.
type End struct {
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"` // at most maxError bytes, on one line
}

// maxError bounds the text of an End, in bytes: a run can fail for each of
// thousands of datasets, and status -v names them all.
const maxError = 1000

// NewEnd returns an End whose text is made of these errors.
func NewEnd(status int, errors []string) End {
	return End{status, clean.Line(strings.Join(errors, "; "), maxError)}
}
