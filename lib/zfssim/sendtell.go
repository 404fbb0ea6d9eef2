package zfssim

import (
	"fmt"
	"strings"
)

// estimate is what the substream will roughly be.
func (z *cmd) estimate(o *options, s *source) uint64 {
	n, _ := z.writeSource(o, s, nil)
	return n
}

// announce prints what -n, -v and -P print before the stream.
func (z *cmd) announce(o *options, plan *sendPlan) {
	w := z.err
	if o.has('n') {
		w = z.out
	}
	total := uint64(0)
	for _, s := range plan.sources {
		n := z.estimate(o, s)
		total += n
		if !o.has('v') && !o.has('P') {
			continue
		}
		full, from := s.to.full(s.d), strings.TrimPrefix(shown(o, s), "@")
		switch {
		case o.has('P') && s.from == "":
			fmt.Fprintf(w, "full\t%s\t%d\n", full, n)
		case o.has('P'):
			fmt.Fprintf(w, "incremental\t%s\t%s\t%d\n", from, full, n)
		case s.from == "":
			fmt.Fprintf(w, "full send of %s estimated size is %s\n", full, bytesText(n))
		default:
			fmt.Fprintf(w, "send from %s to %s estimated size is %s\n", shown(o, s), full, bytesText(n))
		}
	}
	switch {
	case o.has('P'):
		fmt.Fprintf(w, "size\t%d\n", total)
	case o.has('v'):
		fmt.Fprintf(w, "total estimated size is %s\n", bytesText(total))
	}
}

// progress is the one line a short send prints on -v.
func (z *cmd) progress(o *options, s *source) {
	if o.has('v') && !o.has('P') {
		fmt.Fprintf(z.err, "TIME        SENT   SNAPSHOT %s\n", s.to.full(s.d))
	}
}

// shown is the base's name as it is told: short in -R and -I streams only.
func shown(o *options, s *source) string {
	if s.base != nil && !o.has('R') && !o.has('I') && strings.HasPrefix(s.from, "@") {
		return s.d.name + s.from
	}
	return s.from
}
