package replicate

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// talker is a receiver at which the other host causes a line for each dataset.
type talker struct {
	*host
	say func(string)
}

func (r talker) List(context.Context, transfer.ListRequest) ([]transfer.Dataset, error) {
	for i := range 1000 {
		r.say(fmt.Sprint("line ", i))
	}
	return nil, errors.New("no list")
}

// TestSaid: a run says so many lines and how many more there were, and the next
// one begins anew.
func TestSaid(t *testing.T) {
	var said []string
	h := newHost(t, 1)
	j := &Job{Sender: sender{h}, Say: func(text string) { said = append(said, text) }}
	j.Receiver = talker{h, j.say}
	for range 2 {
		said = nil
		if err := j.Run(context.Background()); err == nil {
			t.Fatal("it listed nothing, and did not fail")
		}
		if len(said) != maxSaid+1 || said[0] != "line 0" || said[maxSaid] != fmt.Sprintf("… and %d more lines", 1000-maxSaid) {
			t.Errorf("%d lines, %q … %q", len(said), said[0], said[len(said)-1])
		}
	}
}
