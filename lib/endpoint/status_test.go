package endpoint

import (
	"errors"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/fault"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// What a trailer from another host says decides nothing that this host knows
// better: whether its own pool is full, for one.
func TestFrameKinds(t *testing.T) {
	for _, c := range []struct {
		name, line string
		kind       fault.Kind
		link       bool
	}{
		{"the sender says that we are full", `{"outcome":"producer-failed","trailer":{"exit":1,"stderr":"cannot receive: out of space"}}`, "", false},
		{"its token is dead", `{"outcome":"producer-failed","trailer":{"exit":255,"stderr":"cannot resume send: resume token is corrupt (x)"}}`, fault.DeadToken, false},
		{"it refused what zfs send wrote", `{"outcome":"producer-failed","trailer":{"exit":1,"refused":true,"stderr":"the stream is refused: it is raw"}}`, fault.Refused, false},
		{"it only says so", `{"outcome":"producer-failed","trailer":{"exit":1,"stderr":"the stream is refused: it is raw"}}`, "", false},
		{"it was stopped", `{"outcome":"producer-failed","trailer":{"exit":1,"reason":"terminated"}}`, "", true},
		{"we are full", `{"outcome":"command-failed","command":{"exit":1,"stderr":"cannot receive new filesystem stream: out of space"}}`, fault.NoSpace, false},
		{"we may not", `{"outcome":"command-failed","command":{"exit":1,"stderr":"cannot receive: permission denied"}}`, fault.Denied, false},
		{"we refuse", `{"outcome":"refused","error":"the stream is refused: it is raw"}`, fault.Refused, false},
		{"cut", `{"outcome":"cut","error":"out of space"}`, "", true},
	} {
		_, err := judgeFrame(strings.NewReader(c.line), child.Status{Code: 1})
		if err == nil || fault.Of(err) != c.kind || errors.As(err, new(*transfer.LinkError)) != c.link {
			t.Errorf("%s: %v, kind %q", c.name, err, fault.Of(err))
		}
	}
}
