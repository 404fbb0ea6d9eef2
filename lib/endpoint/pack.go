package endpoint

import (
	"errors"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// worthPacking reports whether streams with these options are worth compressing:
// those that are encrypted or compressed already are not.
func worthPacking(o dataset.SendOptions) bool { return !o.Raw && !o.Compressed }

// packs reports whether a stream with these options is to be compressed on a
// connection. It says once if the other side does not agree.
func (p *Pool) packs(l *Link, o dataset.SendOptions) bool {
	switch {
	case p.Compress == "" || !worthPacking(o):
		return false
	case !l.packs:
		p.told.Do(func() {
			if p.Say != nil {
				p.Say("warning: streams are not compressed: the other host has no zstd, or is not configured to allow it (compress), or its version is too old")
			}
		})
		return false
	}
	return true
}

// compression is how a stream is compressed for a client that asks for it.
func (s *Sender) compression(in transfer.SendRequest) (string, error) {
	switch {
	case in.Compress != pack.Zstd || s.Compress == "":
		return "", errors.New("a request for a stream that is compressed in a way that is not offered here")
	case !worthPacking(in.Send):
		return "", nil
	}
	return string(s.Compress), nil
}
